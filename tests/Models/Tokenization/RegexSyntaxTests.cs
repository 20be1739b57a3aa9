using System.Text.RegularExpressions;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class RegexSyntaxTests
{
    /// <summary>Whatever a known model asks for is read as it is, but for what .NET writes otherwise.</summary>
    [Theory]
    [InlineData(@"a++b", @"(?>a+)b")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?+\p{L}+", @"(?>[^\r\n\p{L}\p{N}]?)\p{L}+")]
    [InlineData(@"(?:ab|c)*+d", @"(?>(?:ab|c)*)d")]
    [InlineData(@"((a)++b)*+", @"(?>((?>(a)+)b)*)")]
    [InlineData(@"\p{N}{1,3}+", @"(?:\p{N}{1,3})+")]
    [InlineData(@"a{,3}", @"a{0,3}")]
    [InlineData(@"a+?b", @"a+?b")]
    [InlineData(@"\++", @"\++")]
    [InlineData(@"[+]++", @"(?>[+]+)")]
    [InlineData(@"a{x}+", @"a{x}+")]
    [InlineData(@" ?[^(\s|[.,!?…])]+", @" ?[^(\s|.,!?…)]+")]
    [InlineData(@"[]a]", @"[\]a]")]
    [InlineData(@"\x{4e00}-\x{9fa5}", @"\u4E00-\u9FA5")]
    [InlineData(@"(?i:'s|'t)|(?<=a)b|\s+(?!\S)", @"(?i:'s|'t)|(?<=a)b|\s+(?!\S)")]
    [InlineData(@"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+", @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+")]
    public void Is_written_as_dotnet_reads_it(string pattern, string expected)
    {
        Assert.Equal(expected, RegexSyntax.ToDotNet(pattern));
        Assert.NotNull(new Regex(expected, RegexOptions.None, TimeSpan.FromSeconds(1)));
    }

    [Theory]
    [InlineData(KnownPatterns.Gpt2)]
    [InlineData(KnownPatterns.Qwen2)]
    [InlineData(KnownPatterns.Llama3)]
    [InlineData(KnownPatterns.Nano)]
    public void Plain_patterns_stay_as_they_are(string pattern) => Assert.Equal(pattern, RegexSyntax.ToDotNet(pattern));

    [Theory]
    [InlineData("[😀-😎]+")]
    [InlineData(@"[\x{1F600}]")]
    [InlineData("[a[^b]]")]
    [InlineData("[[:alpha:]]")]
    [InlineData(@"[\w&&[^a]]")]
    [InlineData("[a-[b]]")]
    public void What_dotnet_reads_otherwise_is_refused(string pattern) =>
        Assert.Contains(pattern, Assert.Throws<UnsupportedTokenizerException>(() => RegexSyntax.ToDotNet(pattern)).Message, StringComparison.Ordinal);

    /// <summary>A possessive quantifier gives nothing back: "aab" is no match, where a greedy one would be.</summary>
    [Fact]
    public void A_tokenizer_may_have_possessive_quantifiers()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(
            ["a a", "aa b", "a b"],
            """
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":"a++ab|a"},"behavior":"Isolated","invert":false},
              {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """));
        Assert.Equal("a|a|b", tokenizer.Pieces("aab"));
    }

    /// <summary>Characters beyond the BMP whose category's usual stand-in lies between U+0800 and U+4E00, next to characters that do.</summary>
    [Theory]
    [InlineData("中𑀀文", "中|𑀀|文")]
    [InlineData("中𐅀文", "中|𐅀|文")]
    [InlineData("一𑁇", "一|𑁇")]
    [InlineData("𐄀가", "𐄀|가")]
    [InlineData("中文", "中文")]
    public void A_range_takes_no_character_beyond_it(string text, string expected)
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(
            [],
            """
            {"type":"Sequence","pretokenizers":[
              {"type":"Split","pattern":{"Regex":"[一-龥ࠀ-一가-퟿]+"},"behavior":"Isolated","invert":false},
              {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}
            """));
        var pieces = tokenizer.PreTokenizer.PreTokenize(text).Select(piece => text.Substring(piece.Offset, piece.Length));
        Assert.Equal(expected, string.Join('|', pieces));
    }

    [Fact]
    public void A_pattern_that_names_a_whole_category_is_refused() =>
        Assert.Throws<UnsupportedTokenizerException>(() => StandIns.For([@"[\u0080-\uFFFF]"]));
}
