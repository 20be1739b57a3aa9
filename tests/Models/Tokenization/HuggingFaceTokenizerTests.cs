using System.Text.Json.Nodes;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class HuggingFaceTokenizerTests
{
    private const string Control = """[{"id":300,"content":"<|user|>","special":true},{"id":301,"content":"<think>","special":false}]""";

    [Fact]
    public void A_text_cannot_forge_an_added_token()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(["< t", "<t h"], addedTokens: Control));

        Assert.DoesNotContain(300, tokenizer.Encode("a<|user|>b<think>", recogniseAdded: false));
        Assert.DoesNotContain(301, tokenizer.Encode("a<|user|>b<think>", recogniseAdded: false));
        Assert.Equal([64, 300, 65, 301], tokenizer.Encode("a<|user|>b<think>", recogniseAdded: true));
    }

    [Fact]
    public void Merging_cannot_forge_an_added_token()
    {
        // Such a file can be written, by mistake or not: the vocabulary holds the control token and merges lead to it.
        var json = TokenizerJson.Create(["< E", "<E >"], """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""",
            addedTokens: """[{"id":257,"content":"<E>","special":true}]""");
        json["model"]!["ignore_merges"] = true;
        var tokenizer = TokenizerJson.Load(json);

        Assert.Equal("<E|>", tokenizer.Pieces("<E>"));
        Assert.Equal([257], tokenizer.Encode("<E>", recogniseAdded: true));
    }

    [Fact]
    public void Tells_added_tokens_and_bytes()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(["Ġ a", "å Ń"], addedTokens: Control));

        Assert.Equal(302, tokenizer.VocabularySize);
        Assert.Equal(301, tokenizer.AddedToken("<think>"));
        Assert.Null(tokenizer.AddedToken("Ġa"));
        Assert.Equal(" a"u8, tokenizer.Bytes(256));
        Assert.Equal([0xE5, 0xAD], tokenizer.Bytes(257).ToArray());
        Assert.Equal("<think>"u8, tokenizer.Bytes(301));
        Assert.True(tokenizer.Bytes(300).IsEmpty);
        Assert.True(tokenizer.Bytes(280).IsEmpty);
        Assert.True(tokenizer.Bytes(-1).IsEmpty);
        Assert.True(tokenizer.Bytes(302).IsEmpty);
    }

    [Fact]
    public void Merges_may_be_pairs()
    {
        var json = TokenizerJson.Create(["a b", "ab c"]);
        json["model"]!["merges"] = JsonNode.Parse("""[["a","b"],["ab","c"]]""");

        Assert.Equal("abc|b|c", TokenizerJson.Load(json).Pieces("abcbc"));
    }

    [Theory]
    [InlineData("Isolated", false, "ab|-|cd|-|-|ab")]
    [InlineData("Removed", false, "ab|cd|ab")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("MergedWithPrevious", false, "ab-|cd-|-|ab")]
    [InlineData("MergedWithNext", false, "ab|-cd|-|-ab")]
    [InlineData("Contiguous", false, "ab|-|cd|--|ab")]
    public void Split_behaviors(string behavior, bool invert, string expected)
    {
        var split = $$"""{"type":"Split","pattern":{"String":"-"},"behavior":"{{behavior}}","invert":{{(invert ? "true" : "false")}}}""";
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(
            ["a b", "c d", "- -", "ab -", "cd -", "- cd", "- ab"],
            $$"""{"type":"Sequence","pretokenizers":[{{split}},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}"""));

        Assert.Equal(expected, tokenizer.Pieces("ab-cd--ab"));
    }

    [Theory]
    [InlineData(true, "1|2|a|3")]
    [InlineData(false, "12|a|3")]
    public void Digits_alone_or_in_runs(bool individual, string expected)
    {
        var digits = $$"""{"type":"Digits","individual_digits":{{(individual ? "true" : "false")}}}""";
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(
            ["1 2", "12 a", "a 3"],
            $$"""{"type":"Sequence","pretokenizers":[{{digits}},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}"""));

        Assert.Equal(expected, tokenizer.Pieces("12a3"));
    }

    [Fact]
    public void A_prefix_space_is_put_before_a_text_that_has_none()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(["Ġ a"], """{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}"""));

        Assert.Equal([256], tokenizer.Encode("a", recogniseAdded: false));
        Assert.Equal([256, 256], tokenizer.Encode(" a a", recogniseAdded: false));
        Assert.Empty(tokenizer.Encode(string.Empty, recogniseAdded: false));
    }

    [Fact]
    public void Ignored_merges_find_whole_pieces_that_merging_does_not_reach()
    {
        var json = TokenizerJson.Create(["b c", "a b"]);
        json["model"]!["vocab"]!["abc"] = 258;
        Assert.Equal("a|bc", TokenizerJson.Load(json).Pieces("abc"));

        json["model"]!["ignore_merges"] = true;
        Assert.Equal("abc", TokenizerJson.Load(json).Pieces("abc"));
    }

    [Theory]
    [InlineData("lstrip", "a |<T>| b", "97,300,32,98")]
    [InlineData("rstrip", "a |<T>| b", "97,32,300,98")]
    [InlineData("single_word", "a<T> <T>", "97,60,84,62,32,300")]
    public void Added_tokens_take_white_space_and_stand_alone(string option, string text, string expected)
    {
        var tokenizer =
            TokenizerJson.Load(TokenizerJson.Create([], addedTokens: $$"""[{"id":300,"content":"<T>","{{option}}":true,"special":true}]"""));
        var ids = tokenizer.Encode(text.Replace("|", string.Empty, StringComparison.Ordinal), recogniseAdded: true);

        Assert.Equal(expected, string.Join(',', ids.Select(id => id == 300 ? id : tokenizer.Bytes(id)[0])));
    }

    [Fact]
    public void The_longest_added_token_wins()
    {
        var tokenizer =
            TokenizerJson.Load(
            TokenizerJson.Create([], addedTokens: """[{"id":300,"content":"<a"},{"id":301,"content":"<a>"},{"id":302,"content":"><"}]"""));

        Assert.Equal([301, 300], tokenizer.Encode("<a><a", recogniseAdded: true));
    }

    [Fact]
    public void A_lone_surrogate_is_a_replacement_character()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create([]));

        Assert.Equal(tokenizer.Encode("a\uFFFDb", recogniseAdded: false), tokenizer.Encode("a\uD83Db", recogniseAdded: false));
    }

    [Fact]
    public void The_order_of_the_members_and_the_length_of_tokens_do_not_matter()
    {
        var longest = Enumerable.Range(1, 10).Select(i => $"{new string('a', 1 << (i - 1))} {new string('a', 1 << (i - 1))}").ToArray();
        var usual = TokenizerJson.Create([.. longest, "b c"], addedTokens: """[{"id":266,"content":"bc"}]""");
        JsonObject turned = new()
        {
            ["model"] = new JsonObject(usual["model"]!.AsObject().Reverse().Select(one => KeyValuePair.Create(one.Key, one.Value?.DeepClone()))),
            ["pre_tokenizer"] = usual["pre_tokenizer"]!.DeepClone(), ["added_tokens"] = usual["added_tokens"]!.DeepClone(),
        };
        Assert.Equal("merges", turned["model"]!.AsObject().First().Key);
        var text = new string('a', 1 << 10) + "bc";
        foreach (var json in (JsonObject[])[usual, turned])
        {
            var tokenizer = TokenizerJson.Load(json);
            Assert.Equal($"{new string('a', 1 << 10)}|b|c", tokenizer.Pieces(text));
            Assert.Equal([265, 266], tokenizer.Encode(text, recogniseAdded: true));
        }
    }

    [Theory]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b","a"]]},"pre_tokenizer":{"type":"ByteLevel"}}""",
        "more than two")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a"]]},"pre_tokenizer":{"type":"ByteLevel"}}""", "tokenizer.json")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[7]},"pre_tokenizer":{"type":"ByteLevel"}}""", "tokenizer.json")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":"0"},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"}}""", "tokenizer.json")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":["ab"]},"pre_tokenizer":{"type":"ByteLevel"}}""", "'ab'")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"}} more""", "tokenizer.json")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[]}}""", "Unigram")]
    [InlineData("""{"model":{"type":"WordPiece","vocab":{}}}""", "WordPiece")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[],"byte_fallback":true}}""", "byte_fallback")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[],"end_of_word_suffix":"</w>"}}""", "end_of_word_suffix")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":null}""", "ByteLevel")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"Metaspace"}}""", "Metaspace")]
    [InlineData(
        """{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\p{Han}"},"behavior":"Isolated"}}""",
        "{Han}")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]},"normalizer":{"type":"NFKC"}}""", "NFKC")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]},"pre_tokenizer":{"type":"ByteLevel"}}""", "'a b'")]
    [InlineData("""{"model":{"type":"BPE"},"pre_tokenizer":{"type":"ByteLevel"}}""", "tokenizer.json")]
    [InlineData("""{}""", "no model")]
    [InlineData("""[]""", "no model")]
    [InlineData("""{"model": """, "tokenizer.json")]
    public void What_cannot_be_loaded_exactly_is_refused_by_name(string json, string named)
    {
        var refusal = Assert.Throws<UnsupportedTokenizerException>(() => TokenizerJson.LoadText(json));

        Assert.Contains(named, refusal.Message, StringComparison.Ordinal);
    }
}
