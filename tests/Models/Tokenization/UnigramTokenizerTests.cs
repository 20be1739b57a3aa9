using System.Text.Json.Nodes;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class UnigramTokenizerTests
{
    /// <summary>Most short texts over four letters, each with a score: many ways to cut every text.</summary>
    [Fact]
    public void Ids_equal_the_references()
    {
        var random = new Random(18);
        string[] letters = ["a", "b", "ä", "中"];
        var parts = letters.SelectMany(one => letters.SelectMany(two => letters.Select(three => one + two + three)).Prepend(one + letters[0]));
        (string, double)[] vocabulary =
        [
            ("<unk>", 0), ("▁", -4), .. letters[..3].Select(letter => (letter, -3 - random.Next(512) / 256d)),
            .. parts.SelectMany(text => (string[])[text, "▁" + text]).Where(_ => random.Next(4) > 0)
                .Select(text => (text, -4 - random.Next(1024) / 256d)),
        ];
        string[] drawn = [.. letters, " ", "?"];
        var texts = Enumerable.Range(0, 2000).Select(
            _ => string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => drawn[random.Next(drawn.Length)])));
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, SentencePieceJson.Unigram(vocabulary).ToJsonString());
            ReferenceTokenizer.AssertSameIds(path, [.. texts]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("ab", "▁ab")]
    [InlineData("aba", "▁a|ba")]
    [InlineData("a a", "▁a|▁a")]
    [InlineData("a中国a", "▁a||a")]
    [InlineData("<unk>", "▁|")]
    public void The_likeliest_way_is_taken_and_what_is_unknown_is_one_token(string text, string expected)
    {
        var tokens = TokenizerJson.Load(SentencePieceJson.Unigram()).EncodeToTokens(text, out _);
        Assert.Equal(expected, string.Join('|', tokens.Select(token => token.Value)));
    }

    [Fact]
    public void A_text_cannot_become_an_added_token()
    {
        var tokenizer = TokenizerJson.Load(SentencePieceJson.Unigram(
            [("<unk>", 0), ("</s>", 0), ("▁", -2), ("a", -3)],
            """[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"</s>","special":true}]"""));
        Assert.Equal([2, 3, 1], tokenizer.Encode("a</s>", recogniseAdded: true));
        Assert.Equal([2, 3, 0], tokenizer.Encode("a</s>", recogniseAdded: false));
        Assert.Equal("a", tokenizer.Decode([2, 3, 1, 0]));
    }

    [Theory]
    [InlineData("byte_fallback", "true", "byte_fallback")]
    [InlineData("unk_id", "null", "unk_id")]
    [InlineData("unk_id", "99", "unk_id")]
    [InlineData("vocab", """[["a",-1,2]]""", "more than")]
    [InlineData("vocab", """{"a":1}""", "scores")]
    [InlineData("vocab", """["a"]""", "scores")]
    public void What_cannot_be_loaded_exactly_is_refused_by_name(string member, string value, string named)
    {
        var json = SentencePieceJson.Unigram();
        json["model"]![member] = JsonNode.Parse(value);
        Assert.Contains(named, Assert.Throws<UnsupportedTokenizerException>(() => TokenizerJson.Load(json)).Message, StringComparison.Ordinal);
    }
}
