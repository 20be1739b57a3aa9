using System.Text.Json;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Models.Tokenization;
using R1Serverless.Tests.Engine.Encoders;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Encoders' tokenizers against Hugging Face's own library (tests/oracles/encode.mjs).</summary>
public sealed class EncoderTokenizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-encoder-tokenizer-").FullName;

    private static readonly string[] Special =
    [
        "[SEP]", "a[SEP]b", " [MASK] [CLS]\n[PAD]", "[unk]", "[UNK]", "##ing", "a##b", "ΟΔΟΣ ΣΑΣ Σ", "İstanbul I ı", "ǅ Ǆ ﬁ ß ẞ",
        "\u0000a\uFFFDb\u0085c",
        new('x', 100), new('x', 101), string.Concat(Enumerable.Repeat("𝓍", 100)), string.Concat(Enumerable.Repeat("é", 100)), "¿a‚b،c。d$e^f`g",
        "가각힣 각 ㄱ", "\u1100\u1161\u11A8", "ﷺ ㎏ ½", "が は\u3099",
    ];

    private const string Uncased =
        """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""";

    public static TheoryData<string> Normalizers =>
    [
        Uncased,
        """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":false}""",
        """{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":false,"lowercase":true}""",
        """{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"Lowercase"},{"type":"StripAccents"}]}""",
    ];

    [Theory]
    [MemberData(nameof(Normalizers))]
    public void Word_pieces_are_the_references(string normalizer) =>
        AssertSame(Bert(normalizer), [.. TokenizerStrings.All.Concat(Special).Select(text => new[] { text })]);

    [Fact]
    public void A_vocabulary_alone_is_bert_s_usual_tokenizer()
    {
        File.WriteAllLines(Path.Combine(_folder, "vocab.txt"), MiniLm.Vocabulary);
        var alone = EncoderTokenizer.Load(Path.Combine(_folder, "vocab.txt"));
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), Bert(Uncased).ToJsonString());
        var whole = EncoderTokenizer.Load(Path.Combine(_folder, "tokenizer.json"));
        foreach (var text in TokenizerStrings.All.Concat(Special))
            Assert.Equal(Encode(whole, [text]).Ids, Encode(alone, [text]).Ids);

        File.WriteAllText(Path.Combine(_folder, "tokenizer_config.json"), """{"do_lower_case":false,"unk_token":{"content":"[UNK]"}}""");
        var cased = EncoderTokenizer.Load(Path.Combine(_folder, "vocab.txt"));
        Assert.Equal([101, 100, 102], Encode(cased, ["Hello"]).Ids);
        Assert.Equal([101, 7592, 102], Encode(cased, ["hello"]).Ids);
    }

    [Theory]
    [InlineData(0, "right")]
    [InlineData(16, "right")]
    [InlineData(16, "left")]
    [InlineData(7, "right")]
    [InlineData(3, "left")]
    public void Pairs_and_what_is_left_of_them_are_the_references(int longest, string direction)
    {
        var random = new Random(5);
        string[][] texts = [.. Enumerable.Range(0, 300).Select(i => Enumerable.Range(0, 1 + (i % 2)).Select(_ =>
            string.Join(' ', Enumerable.Range(0, random.Next(0, 20)).Select(_ => MiniLm.Vocabulary[random.Next(2000, 3000)]))).ToArray())];
        AssertSame(Bert(Uncased), texts, longest, direction);
    }

    public static TheoryData<string> PostProcessors =>
    [
        """{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",1],"trim_offsets":true,"add_prefix_space":false}""",
        """
        {"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<e>","type_id":0}}],
          "pair":[{"Sequence":{"id":"B","type_id":1}},{"SpecialToken":{"id":"<e>","type_id":1}},{"Sequence":{"id":"A","type_id":0}}],
          "special_tokens":{"<e>":{"id":"<e>","ids":[2,1],"tokens":["</s>","<s>"]}}}
        """,
        """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""",
        """
        {"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true},
          {"type":"BertProcessing","sep":["</s>",2],"cls":["<s>",1]}]}
        """,
        "null",
    ];

    [Theory]
    [MemberData(nameof(PostProcessors))]
    public void What_stands_around_texts_is_the_references(string postProcessor)
    {
        var json = TokenizerJson.Create(["a b", "ab a", "Ġ a"], """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""");
        json["post_processor"] = JsonNode.Parse(postProcessor);
        AssertSame(json, [["ab aba"], ["a", "b a"], [""], ["", "x"]]);
        AssertSame(json, [["ab aba ab ab"], ["a b c d e", "b a"], ["b", "b a d e f g"]], 6);
    }

    public static TheoryData<string, string, string> Unsupported => new()
    {
        { "normalizer", """{"type":"NFKC"}""", "NFKC" },
        { "pre_tokenizer", """{"type":"Whitespace"}""", "Whitespace" },
        { "pre_tokenizer", """{"type":"ByteLevel"}""", "ByteLevel" },
        { "post_processor", """{"type":"Other"}""", "Other" },
        { "post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<e>","type_id":0}}],"special_tokens":{}}""", "<e>" },
        { "post_processor", """{"type":"BertProcessing","cls":["a",1]}""", "post_processor" },
        { "model", """{"type":"WordPiece","unk_token":"[NO]","vocab":{"a":0}}""", "[NO]" },
        { "model", """{"type":"WordLevel","vocab":{"a":0}}""", "WordLevel" },
        { "model", """{"type":"WordPiece","unk_token":"a","vocab":{"a":0,"b\n":1}}""", "line break" },
    };

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void What_cannot_be_loaded_exactly_is_refused_by_name(string member, string value, string named)
    {
        var json = Bert(Uncased);
        json[member] = JsonNode.Parse(value);
        var path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, json.ToJsonString());
        Assert.Contains(named, Assert.Throws<UnsupportedTokenizerException>(() => EncoderTokenizer.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vocabulary_of_another_kind_is_refused()
    {
        var path = Path.Combine(_folder, "vocab.txt");
        File.WriteAllLines(path, ["[PAD]", "[UNK]", "[CLS]", "a"]);
        Assert.Contains("[SEP]", Assert.Throws<UnsupportedTokenizerException>(() => EncoderTokenizer.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_may_have_gaps_and_no_order()
    {
        var json = Bert(Uncased);
        json["model"]!["vocab"] = JsonNode.Parse("""{"b":9,"[UNK]":4,"##a":2,"a":7}""");
        json["added_tokens"] = new JsonArray();
        json["post_processor"] = null;
        AssertSame(json, [["ba ab a bb c"]]);
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), json.ToJsonString());
        Assert.Equal([9, 2, 4, 7, 4, 4], Encode(EncoderTokenizer.Load(Path.Combine(_folder, "tokenizer.json")), ["ba ab a bb c"]).Ids);
    }

    [Fact]
    public void Nothing_is_generated_with_word_pieces()
    {
        var path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, Bert(Uncased).ToJsonString());
        var fault = Assert.Throws<UnsupportedTokenizerException>(() => HuggingFaceTokenizer.Load(path));
        Assert.Contains("encoders", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>MiniLM's vocabulary, as its tokenizer.json has it.</summary>
    private static JsonObject Bert(string normalizer)
    {
        JsonObject vocabulary = [];
        foreach (var (id, token) in MiniLm.Vocabulary.Index()) vocabulary[token] = id;
        JsonNode[] added =
        [
            .. ((string[])["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]).Select(token => new JsonObject
            {
                ["id"] = vocabulary[token]!.GetValue<int>(), ["content"] = token, ["single_word"] = false, ["lstrip"] = token == "[MASK]",
                ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
            }),
        ];
        return new JsonObject
        {
            ["version"] = "1.0", ["added_tokens"] = new JsonArray(added), ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse("""{"type":"BertPreTokenizer"}"""),
            ["post_processor"] = JsonNode.Parse("""{"type":"BertProcessing","sep":["[SEP]",102],"cls":["[CLS]",101]}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "WordPiece", ["unk_token"] = "[UNK]", ["continuing_subword_prefix"] = "##", ["max_input_chars_per_word"] = 100,
                ["vocab"] = vocabulary,
            },
        };
    }

    private static EncodedText Encode(EncoderTokenizer tokenizer, string[] texts, int longest = int.MaxValue,
        TextTruncation truncation = TextTruncation.None) =>
        tokenizer.Around(tokenizer.Ids(texts[0]), texts.Length > 1 ? tokenizer.Ids(texts[1]) : null, longest, truncation);

    /// <param name="texts">Of one text or two each.</param>
    /// <param name="longest">0 for any length.</param>
    private void AssertSame(JsonObject json, string[][] texts, int longest = 0, string direction = "right")
    {
        var path = Path.Combine(_folder, "tokenizer.json");
        json["version"] = "1.0";
        File.WriteAllText(path, json.ToJsonString());
        var tokenizer = EncoderTokenizer.Load(path);
        var expected = NodeOracle.Answers<int[][], string[]>(texts, "encode.mjs", longest == 0 ? [path] : [path, $"{longest}", direction]);
        Assert.Equal(texts.Length, expected.Count);
        var truncation = longest == 0 ? TextTruncation.None : direction == "left" ? TextTruncation.Left : TextTruncation.Right;
        List<string> wrong = [];
        for (var i = 0; i < texts.Length; i++)
        {
            var got = Encode(tokenizer, texts[i], longest == 0 ? int.MaxValue : longest, truncation);
            if (!expected[i][0].SequenceEqual(got.Ids) || !expected[i][1].SequenceEqual(got.Types))
                wrong.Add($"{JsonSerializer.Serialize(texts[i])}: {string.Join(' ', expected[i][0])} | {string.Join(' ', got.Ids)}");
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {texts.Length} differ:\n{string.Join('\n', wrong.Take(20))}");
    }
}
