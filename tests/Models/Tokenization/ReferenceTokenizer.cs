using System.Text.Json;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>The reference tokenizers of tests/oracles, run by Node.</summary>
internal static class ReferenceTokenizer
{
    /// <summary>Ids equal the reference's on <see cref="TokenizerStrings.All"/>, recognising added tokens or not, and on texts that hold added
    /// tokens.</summary>
    public static void AssertSameIds(string tokenizerPath, string[] withAddedTokens)
    {
        Assert.Equal(6230, TokenizerStrings.All.Count);
        var tokenizer = HuggingFaceTokenizer.Load(tokenizerPath);
        string[] texts = [.. TokenizerStrings.All, .. withAddedTokens];
        var expected = NodeOracle.Answers<int[]>(texts, "tokenize.mjs", tokenizerPath);
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
}
