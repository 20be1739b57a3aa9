using System.Text.Json.Nodes;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>SentencePiece's BPE with bytes for what the vocabulary lacks: ▁ is 256, a, b and c are 257 to 259.</summary>
public sealed class SentencePieceTokenizerTests
{
    private const int Space = 256, A = 257, B = 258, SpaceA = 260, SpaceAB = 261, AA = 262, AAA = 263;

    [Theory]
    [InlineData("", "")]
    [InlineData("ab", "▁ab")]
    [InlineData(" ab", "▁|▁ab")]
    [InlineData("ab ab", "▁ab|▁ab")]
    [InlineData("b\n", "▁|b|<0x0A>")]
    [InlineData("孤a", "▁|<0xE5>|<0xAD>|<0xA4>|a")]
    [InlineData("😀", "▁|<0xF0>|<0x9F>|<0x98>|<0x80>")]
    [InlineData("baaaa", "▁|b|aa|aa")]
    [InlineData("baaa", "▁|b|aaa")]
    [InlineData("<0x0A>", "▁|<0x3C>|<0x30>|<0x78>|<0x30>|<0x41>|<0x3E>")]
    public void Characters_merge_and_what_is_none_is_bytes(string text, string expected)
    {
        var tokens = TokenizerJson.Load(SentencePieceJson.Bpe()).EncodeToTokens(text, out _);
        Assert.Equal(expected, string.Join('|', tokens.Select(token => token.Value)));
    }

    /// <summary>Microsoft.ML.Tokenizers 2.0.1 takes the rightmost (see PieceMerger), the reference and SentencePiece itself the leftmost.</summary>
    [Fact]
    public void Of_equal_merges_the_leftmost_comes_first() =>
        Assert.Equal([Space, B, AA, A], Encoded(SentencePieceJson.Bpe(["a a"]), "baaa").Select(id => id == 260 ? AA : id));

    [Theory]
    [InlineData("always", "b<s>ab", "▁|b|<s>|▁ab")]
    [InlineData("first", "b<s>ab", "▁|b|<s>|a|b")]
    [InlineData("first", "<s>ab", "<s>|a|b")]
    [InlineData("never", "b<s>ab", "b|<s>|a|b")]
    [InlineData("always", " ab", "▁ab")]
    [InlineData("never", " ab", "▁ab")]
    public void Metaspace_puts_a_space_before_every_text_the_first_or_none(string scheme, string text, string expected)
    {
        var tokens = TokenizerJson.Load(Metaspace(scheme)).EncodeToTokens(text, out _);
        Assert.Equal(expected, string.Join('|', tokens.Select(token => token.Value)));
    }

    [Fact]
    public void A_text_that_follows_others_gets_no_first_space()
    {
        var tokenizer = TokenizerJson.Load(Metaspace("first"));
        Assert.Equal([SpaceAB], tokenizer.Encode("ab", recogniseAdded: false));
        var begin = tokenizer.AddedToken("<s>")!.Value;
        Assert.Equal([begin, A, B], tokenizer.Encode(MarkedText.OfTemplate("<s>") + MarkedText.OfUser("ab")));
    }

    /// <summary>Plain text is white space, and what was kept whole when SentencePiece was trained; what was added later may be control.</summary>
    [Fact]
    public void Added_tokens_are_recognised_where_asked_for_and_those_that_are_plain_text_always()
    {
        var json = SentencePieceJson.Bpe(addedTokens:
            """
            [{"id":300,"content":"<s>","special":true},{"id":301,"content":"\n\n","special":false},{"id":302,"content":"<b>","special":false},
             {"id":303,"content":"<think>","special":false}]
            """);
        json["model"]!["vocab"]!["<s>"] = 300;
        json["model"]!["vocab"]!["<b>"] = 302;
        var tokenizer = TokenizerJson.Load(json);

        Assert.Equal([SpaceA, 301, SpaceA, 300, SpaceA, 302, 303], tokenizer.Encode("a\n\na<s>a<b><think>", recogniseAdded: true));
        Assert.Equal([SpaceA, 301, SpaceA, '<', 's', '>', A, 302, Space, .. "<think>".Select(c => (int)c)],
            tokenizer.Encode("a\n\na<s>a<b><think>", recogniseAdded: false));
    }

    [Theory]
    [InlineData(new[] { SpaceAB, SpaceA }, "ab a")]
    [InlineData(new[] { Space, SpaceA }, " a")]
    [InlineData(new[] { A, Space, B }, "a b")]
    [InlineData(new[] { 300, SpaceA }, "a")]
    [InlineData(new[] { 0x20, A }, "a")]
    [InlineData(new[] { 0xE5, 0xAD, 0xA4, Space }, "孤 ")]
    [InlineData(new[] { 0xE5, 0xAD, A }, "\uFFFDa")]
    [InlineData(new[] { 301 }, "x y")]
    public void Decoding_drops_one_space_at_the_beginning_alone_or_all_together(int[] ids, string expected)
    {
        var tokenizer = TokenizerJson.Load(SentencePieceJson.Bpe(
            addedTokens: """[{"id":300,"content":"<s>","special":true},{"id":301,"content":"▁x▁y","special":false}]"""));
        Assert.Equal(1, tokenizer.LeadingSpaces);
        Assert.Equal(expected, tokenizer.Decode(ids));
        IncrementalDecoder decoder = new(tokenizer), going = new(tokenizer, continues: true);
        Assert.Equal(expected, string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
        Assert.EndsWith(expected, string.Concat(ids.Select(going.Append)) + going.Flush(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_that_continues_another_keeps_its_space()
    {
        IncrementalDecoder decoder = new(TokenizerJson.Load(SentencePieceJson.Bpe()), continues: true);
        Assert.Equal(" ab", decoder.Append(SpaceAB));
    }

    [Fact]
    public void After_a_flush_no_more_space_is_dropped()
    {
        IncrementalDecoder decoder = new(TokenizerJson.Load(SentencePieceJson.Bpe()));
        Assert.Equal("ab", decoder.Append(SpaceAB));
        Assert.Empty(decoder.Flush());
        Assert.Equal(" ab", decoder.Append(SpaceAB));
    }

    [Fact]
    public void Without_a_Strip_every_space_stays()
    {
        var tokenizer = TokenizerJson.Load(SentencePieceJson.Bpe(
            decoder: """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"}]}"""));
        Assert.Equal(" ab", tokenizer.Decode([SpaceAB]));
    }

    [Fact]
    public void Every_text_comes_back()
    {
        var tokenizer = TokenizerJson.Load(SentencePieceJson.Bpe());
        foreach (var text in TokenizerStrings.All.Where(text => !text.Contains('▁')))
        {
            Assert.Equal(text, tokenizer.Decode(tokenizer.EncodeToIds(text)));
        }
    }

    [Fact]
    public void Ignored_merges_find_whole_texts()
    {
        var json = SentencePieceJson.Bpe(["a b"]);
        json["model"]!["vocab"]!["▁ba"] = 261;
        Assert.Equal([Space, B, A], Encoded(json, "ba"));
        json["model"]!["ignore_merges"] = true;
        Assert.Equal([261], Encoded(json, "ba"));
    }

    [Theory]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":" *"},"content":"▁"}""", " *")]
    [InlineData("normalizer", """{"type":"Precompiled","precompiled_charsmap":""}""", "precompiled_charsmap")]
    [InlineData("normalizer", """{"type":"NFKC"}""", "NFKC")]
    [InlineData("pre_tokenizer", """{"type":"WhitespaceSplit"}""", "WhitespaceSplit")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Digits"}]}""", "WhitespaceSplit")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"WhitespaceSplit"}]}""", "WhitespaceSplit")]
    [InlineData("pre_tokenizer",
        """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","split":false}]}""", "split")]
    [InlineData("pre_tokenizer",
        """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}""",
        "prepend_scheme")]
    [InlineData("pre_tokenizer", """{"type":"ByteLevel"}""", "ByteLevel")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"_"}""", "U+2581")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"last"}""", "'last'")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Digits"},{"type":"Metaspace","replacement":"▁"}]}""", "Metaspace")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "WordPiece")]
    [InlineData("decoder", """{"type":"Strip","content":" ","start":1,"stop":1}""", "Strip")]
    [InlineData("decoder", """{"type":"Replace","pattern":{"String":"_"},"content":" "}""", "Replace")]
    [InlineData("added_tokens", """[{"id":-1,"content":"x"}]""", "-1")]
    [InlineData("added_tokens", """[{"id":2000000000,"content":"x"}]""", "2000000000")]
    public void What_cannot_be_loaded_exactly_is_refused_by_name(string member, string value, string named)
    {
        var json = SentencePieceJson.Bpe();
        json[member] = JsonNode.Parse(value);
        Assert.Contains(named, Assert.Throws<UnsupportedTokenizerException>(() => TokenizerJson.Load(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_first_word_cannot_be_told_where_white_space_before_it_is_dropped()
    {
        var json = Metaspace("first");
        json["normalizer"] = JsonNode.Parse("""{"type":"Strip","strip_left":true,"strip_right":true}""");
        var fault = Assert.Throws<UnsupportedTokenizerException>(() => TokenizerJson.Load(json));
        Assert.Contains("strip_left", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_the_vocabulary_lacks_are_a_refusal()
    {
        var json = SentencePieceJson.Bpe();
        json["model"]!["vocab"]!.AsObject().Remove("<0x7F>");
        Assert.Contains("<0x7F>", Assert.Throws<UnsupportedTokenizerException>(() => TokenizerJson.Load(json)).Message, StringComparison.Ordinal);
    }

    private static JsonObject Metaspace(string scheme) => SentencePieceJson.Bpe(
        normalizer: "null", addedTokens: """[{"id":300,"content":"<s>","special":true}]""",
        preTokenizer: $$"""{"type":"Metaspace","replacement":"▁","prepend_scheme":"{{scheme}}","split":false}""");

    private static IReadOnlyList<int> Encoded(JsonObject json, string text) => TokenizerJson.Load(json).Encode(text, recogniseAdded: false);
}
