using System.Text.Json;
using System.Text.RegularExpressions;

namespace R1Serverless.Tests.Infra;

/// <summary>A Dockerfile as far as ours go: instructions, continued lines, arguments with defaults, stages.</summary>
internal sealed class Dockerfile
{
    private static readonly Regex Variable = new("\\$\\{(?<name>[A-Z_]+)\\}", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    private Dockerfile(IReadOnlyList<Instruction> instructions) => Instructions = instructions;

    public sealed record Instruction(string Name, string Text);

    public IReadOnlyList<Instruction> Instructions { get; }

    /// <summary>What the last stage adds to its base.</summary>
    public IEnumerable<Instruction> Last => Instructions.Skip(Instructions.ToList().FindLastIndex(one => one.Name == "FROM"));

    /// <summary>Of the last stage.</summary>
    public string Single(string name) => Last.Single(one => one.Name == name).Text;

    /// <summary>The names that later stages may use, each with what stands before it.</summary>
    public IEnumerable<(string Base, string? Stage)> Stages =>
        Instructions.Where(one => one.Name == "FROM").Select(one => one.Text.Split(" AS "))
            .Select(parts => (parts[0], parts.Length > 1 ? parts[1] : null));

    /// <summary>The files that COPY takes from the repository; a pattern that fits none stays as it is.</summary>
    public IEnumerable<string> Sources => Copies.Where(one => one.From is null).SelectMany(one => one.Sources).SelectMany(one =>
        one.Contains('*', StringComparison.Ordinal) && Directory.GetFiles(RepositoryFiles.Root, one) is { Length: > 0 } files
        ? files.Select(file => Path.GetFileName(file)) : [one]);

    public IEnumerable<(string? From, string[] Sources, string Target)> Copies =>
        from one in Instructions
        where one.Name == "COPY"
        let words = one.Text.Split(' ')
        let paths = words.Where(word => !word.StartsWith("--", StringComparison.Ordinal)).ToArray()
        select (words.FirstOrDefault(word => word.StartsWith("--from=", StringComparison.Ordinal))?["--from=".Length..], paths[..^1], paths[^1]);

    /// <summary>ENV of the last stage.</summary>
    public IReadOnlyDictionary<string, string> Environment =>
        Last.Where(one => one.Name == "ENV").SelectMany(one => one.Text.Split(' ')).Select(pair => pair.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);

    /// <summary>Reads a file of infra, with other arguments than its defaults where they are given.</summary>
    public static Dockerfile Read(string name, params (string Name, string Value)[] arguments)
    {
        var values = arguments.ToDictionary(one => one.Name, one => one.Value, StringComparer.Ordinal);
        List<Instruction> instructions = [];
        var text = File.ReadAllText(RepositoryFiles.Path("infra", name)).Replace("\\\n", "", StringComparison.Ordinal);
        foreach (var line in text.Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            var parts = line.Split(' ', 2, StringSplitOptions.TrimEntries);
            var said =
                Regex.Replace(Variable.Replace(parts[1], match => values[match.Groups["name"].Value]), " +", " ", RegexOptions.None,
                    TimeSpan.FromSeconds(1));
            if (parts[0] == "ARG" && said.Split('=', 2) is [var name_, var value]) values.TryAdd(name_, value);
            instructions.Add(new Instruction(parts[0], said));
        }

        return new Dockerfile(instructions);
    }

    /// <summary>The words of an instruction in its JSON form.</summary>
    public static string[] Words(string text) => JsonSerializer.Deserialize<string[]>(text[text.IndexOf('[', StringComparison.Ordinal)..])!;
}
