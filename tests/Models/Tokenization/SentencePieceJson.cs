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

    /// <summary>As XLM-RoBERTa and T5 have it: each word with a space in front.</summary>
    public const string Words = """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},"""
        + """{"type":"Metaspace","replacement":"▁","str_rep":"▁","add_prefix_space":true}]}""";

    /// <summary>Its character map is to be put in for MAP.</summary>
    public const string Mapped = """{"type":"Precompiled","precompiled_charsmap":"MAP"}""";

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

    /// <summary>As Hugging Face lays XLM-RoBERTa out: ids 0 to 3 are begin, padding, end and unknown, the last one is the mask.</summary>
    /// <param name="pieces">That text becomes.</param>
    /// <param name="map">In Base64.</param>
    public static JsonObject XlmRoberta(IEnumerable<(string Text, double Score)> pieces, string map, string normalizer = Mapped,
        string preTokenizer = Words, bool normalizesMask = false)
    {
        (string Text, double Score)[] vocabulary = [("<s>", 0), ("<pad>", 0), ("</s>", 0), ("<unk>", 0), .. pieces, ("<mask>", 0)];
        var mask = vocabulary.Length - 1;
        var json = Unigram(vocabulary, preTokenizer: preTokenizer);
        json["version"] = "1.0";
        json["added_tokens"] = new JsonArray([.. ((int[])[0, 1, 2, 3, mask]).Select(id => new JsonObject
        {
            ["id"] = id, ["content"] = vocabulary[id].Text, ["single_word"] = false, ["lstrip"] = id == mask, ["rstrip"] = false,
            ["normalized"] = normalizesMask && id == mask, ["special"] = true,
        })]);
        json["normalizer"] = JsonNode.Parse(normalizer.Replace("MAP", map, StringComparison.Ordinal));
        json["post_processor"] = JsonNode.Parse(
            """
            {"type":"TemplateProcessing",
              "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
              "pair":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}},
                {"SpecialToken":{"id":"</s>","type_id":0}},{"Sequence":{"id":"B","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
              "special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}}
            """);
        json["model"]!["unk_id"] = 3;
        return json;
    }
}
