using System.Text.Json.Nodes;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Small tokenizer.json files of SentencePiece's kinds, whose parts a test replaces.</summary>
internal static class SentencePieceJson
{
    /// <summary>As Llama 2 has it: a space before every text, spaces as U+2581.</summary>
    public const string Prepended =
        """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""";

    public const string Stripping =
        """
        {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
          {"type":"Strip","content":" ","start":1,"stop":0}]}
        """;

    public const string Metaspace = """{"type":"Metaspace","replacement":"▁","add_prefix_space":true,"prepend_scheme":"always","split":true}""";

    /// <summary>Bytes have the ids 0 to 255; then come the characters ▁, a, b and c, and from 260 on what the merges make.</summary>
    public static JsonObject Bpe(
        string[]? merges = null, string normalizer = Prepended, string preTokenizer = "null", string decoder = Stripping, string addedTokens = "[]")
    {
        merges ??= ["▁ a", "▁a b", "a a", "aa a", "▁ ▁"];
        JsonObject vocabulary = [];
        for (var value = 0; value < 256; value++) vocabulary[TokenBytes.ByteToken(value)] = value;
        foreach (var character in "▁abc") vocabulary[character.ToString()] = vocabulary.Count;
        foreach (var merge in merges) vocabulary[merge.Replace(" ", string.Empty, StringComparison.Ordinal)] = vocabulary.Count;
        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(addedTokens),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["decoder"] = JsonNode.Parse(decoder),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE", ["byte_fallback"] = true, ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)new JsonArray([.. m.Split(' ').Select(one => (JsonNode)one)]))]),
            },
        };
    }

    /// <summary>Id 0 is the unknown token.</summary>
    public static JsonObject Unigram((string Text, double Score)[]? vocabulary = null, string addedTokens = "[]", string preTokenizer = Metaspace)
    {
        vocabulary ??=
        [
            ("<unk>", 0), ("▁", -2.5), ("a", -3), ("b", -3.25), ("▁a", -3.5), ("ab", -4.125), ("▁ab", -6.5), ("aa", -5.5), ("ba", -4.0625),
            ("aba", -6.125),
        ];
        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(addedTokens),
            ["normalizer"] = null,
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["post_processor"] = null,
            ["decoder"] = JsonNode.Parse(Metaspace),
            ["model"] = new JsonObject
            {
                ["type"] = "Unigram", ["unk_id"] = 0,
                ["vocab"] = new JsonArray([.. vocabulary.Select(one => (JsonNode)new JsonArray(one.Text, one.Score))]),
            },
        };
    }
}
