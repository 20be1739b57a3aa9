using System.Diagnostics;
using System.Text.Json;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>The reference tokenizers of tests/oracles, run by Node.</summary>
internal static class ReferenceTokenizer
{
    /// <summary>Ids equal the reference's on <see cref="TokenizerStrings.All"/>, recognising added tokens or not, and on texts that hold added tokens.</summary>
    public static void AssertSameIds(string tokenizerPath, string[] withAddedTokens)
    {
        Assert.True(
            Directory.Exists(RepositoryFiles.Path("tests", "oracles", "node_modules")),
            "The reference tokenizers are not installed: run tests/run, or npm ci --prefix tests/oracles.");
        Assert.True(TokenizerStrings.All.Count >= 330);
        var tokenizer = HuggingFaceTokenizer.Load(tokenizerPath);
        string[] texts = [.. TokenizerStrings.All, .. withAddedTokens];
        var expected = Ids(tokenizerPath, texts);
        Assert.Equal(texts.Length, expected.Count);
        var wrong = new List<string>();
        for (var i = 0; i < texts.Length; i++)
        {
            Compare(texts[i], expected[i], tokenizer.Encode(texts[i], recogniseAdded: true));
            if (i < TokenizerStrings.All.Count)
            {
                Compare(texts[i], expected[i], tokenizer.Encode(texts[i], recogniseAdded: false));
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n{string.Join('\n', wrong.Take(20))}");

        void Compare(string text, int[] wanted, IReadOnlyList<int> got)
        {
            if (!wanted.SequenceEqual(got))
            {
                wrong.Add($"{JsonSerializer.Serialize(text)}: {string.Join(' ', wanted.Take(40))} | {string.Join(' ', got.Take(40))}");
            }
        }
    }

    private static List<int[]> Ids(string tokenizerPath, string[] texts)
    {
        var start = new ProcessStartInfo("node") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(RepositoryFiles.Path("tests", "oracles", "tokenize.mjs"));
        start.ArgumentList.Add(tokenizerPath);
        using var node = Process.Start(start)!;
        // The script reads all of its input before Node ends, but answers while it reads: the answers must be taken meanwhile.
        var answers = node.StandardOutput.ReadToEndAsync();
        var errors = node.StandardError.ReadToEndAsync();
        foreach (var text in texts)
        {
            node.StandardInput.Write(JsonSerializer.Serialize(text) + "\n");
        }

        node.StandardInput.Close();
        node.WaitForExit();
        Assert.True(node.ExitCode == 0, errors.GetAwaiter().GetResult());
        return [.. answers.GetAwaiter().GetResult().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<int[]>(line)!)];
    }
}
