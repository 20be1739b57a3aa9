using System.Diagnostics;
using System.Text.Json;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Runs a script of tests/oracles, which reads a JSON string per line and answers each with a line of JSON.</summary>
internal static class NodeOracle
{
    /// <summary>The path itself, after a check that it was installed.</summary>
    public static string Installed(string path)
    {
        Assert.True(Path.Exists(path), "The reference tokenizers are not installed: run tests/run, or npm ci --prefix tests/oracles.");
        return path;
    }

    public static List<T> Answers<T>(IEnumerable<string> texts, string script, params string[] arguments) =>
        Answers<T, string>(texts, script, arguments);

    /// <summary>The same of questions that are more than a text.</summary>
    public static List<T> Answers<T, TQuestion>(IEnumerable<TQuestion> questions, string script, params string[] arguments)
    {
        Installed(RepositoryFiles.Path("tests", "oracles", "node_modules"));
        var start = new ProcessStartInfo("node", [RepositoryFiles.Path("tests", "oracles", script), .. arguments])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var node = Process.Start(start)!;
        // The script answers while it reads, so the answers must be taken meanwhile.
        var answers = node.StandardOutput.ReadToEndAsync();
        var errors = node.StandardError.ReadToEndAsync();
        try
        {
            foreach (var question in questions) node.StandardInput.Write(JsonSerializer.Serialize(question) + "\n");
            node.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended; what it said tells why.
        }

        node.WaitForExit();
        Assert.True(node.ExitCode == 0, errors.GetAwaiter().GetResult());
        return [.. answers.GetAwaiter().GetResult().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<T>(line)!)];
    }
}
