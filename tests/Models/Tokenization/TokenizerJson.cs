using System.Text.Json.Nodes;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>A small tokenizer.json whose parts a test replaces: the 256 bytes (ids 0 to 255 in the order of their characters), and the given merges
/// from 256 on.</summary>
internal static class TokenizerJson
{
    public const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}""";

    public static JsonObject Create(string[] merges, string preTokenizer = ByteLevel, string normalizer = "null", string addedTokens = "[]")
    {
        var vocabulary = new JsonObject();
        foreach (var character in Enumerable.Range(33, 94).Concat(Enumerable.Range(161, 12)).Concat(Enumerable.Range(174, 150)))
        {
            vocabulary[((char)character).ToString()] = vocabulary.Count;
        }

        foreach (var merge in merges)
        {
            vocabulary[merge.Replace(" ", string.Empty, StringComparison.Ordinal)] = vocabulary.Count;
        }

        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(addedTokens),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)m)]) },
        };
    }

    public static HuggingFaceTokenizer Load(JsonObject json) => LoadText(json.ToJsonString());

    public static HuggingFaceTokenizer LoadText(string json) => FromFile(json, HuggingFaceTokenizer.Load);

    public static TokenizerFile Parse(JsonObject json) => FromFile(json.ToJsonString(), TokenizerFile.Read);

    /// <summary>The tokens of a text, each as the text it stands for, joined by bars.</summary>
    public static string Pieces(this HuggingFaceTokenizer tokenizer, string text, bool recogniseAdded = false) =>
        string.Join('|', tokenizer.Encode(text, recogniseAdded).Select(id => System.Text.Encoding.UTF8.GetString(tokenizer.Bytes(id))));

    private static T FromFile<T>(string json, Func<string, T> read)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, json);
            return read(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
