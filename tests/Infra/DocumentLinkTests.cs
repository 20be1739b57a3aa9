using System.Text.RegularExpressions;

namespace R1Serverless.Tests.Infra;

/// <summary>Links between the repository's own pages and files.</summary>
public sealed partial class DocumentLinkTests
{
    public static TheoryData<string> Pages =>
        [.. Directory.EnumerateFiles(RepositoryFiles.Path("docs"), "*.md").Append(RepositoryFiles.Path("README.md"))
            .Append(RepositoryFiles.Path("core", "GLOSSARY.md"))
            .Select(file => Path.GetRelativePath(RepositoryFiles.Root, file))];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_link_leads_somewhere(string page)
    {
        string text = File.ReadAllText(RepositoryFiles.Path(page)), folder = Path.GetDirectoryName(RepositoryFiles.Path(page))!;
        Assert.Equal([],
            Link.Matches(text).Select(match => match.Groups["target"].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !Exists(page, folder, target)));
    }

    private static bool Exists(string page, string folder, string target)
    {
        var parts = target.Split('#');
        var file = parts[0].Length == 0 ? RepositoryFiles.Path(page) : Path.GetFullPath(Path.Combine(folder, parts[0]));
        if (parts.Length == 1 || !file.EndsWith(".md", StringComparison.Ordinal)) return File.Exists(file) || Directory.Exists(file);
        return File.Exists(file) && File.ReadLines(file).Where(line => line.StartsWith('#')).Any(line => Anchor(line) == parts[1]);
    }

    /// <summary>As GitHub makes it of a heading.</summary>
    private static string Anchor(string heading) =>
        string.Concat(heading.TrimStart('#').Trim().ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_'))
            .Replace(' ', '-');

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.NonBacktracking)]
    private static partial Regex Link { get; }
}
