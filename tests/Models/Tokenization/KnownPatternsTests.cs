using System.Text.RegularExpressions;
using CsCheck;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class KnownPatternsTests
{
    public static TheoryData<string> All =>
        [KnownPatterns.Gpt2, KnownPatterns.Digit, KnownPatterns.Digits, KnownPatterns.Qwen2, KnownPatterns.Llama3, KnownPatterns.Nano];

    [Theory]
    [MemberData(nameof(All))]
    public void What_is_compiled_with_the_program_cuts_as_what_is_compiled_at_the_start(string pattern)
    {
        Regex known = KnownPatterns.Find(pattern)!, compiled = new(pattern, StagedPreTokenizer.Options, TimeSpan.FromMinutes(1));
        Assert.NotEqual(typeof(Regex), known.GetType());
        Assert.Equal(pattern, known.ToString());
        Assert.Equal(Regex.InfiniteMatchTimeout, known.MatchTimeout);
        Gen.OneOf(Gen.Char["aZ sS'\r\n\t09.,!?-"], Gen.Char['À', 'ſ'], Gen.Char['一', '丿']).Array[0, 60].Select(chars => new string(chars))
            .Sample(text =>
            Assert.Equal(compiled.Matches(text).Select(match => (match.Index, match.Length)),
                known.Matches(text).Select(match => (match.Index, match.Length))));
    }

    [Fact]
    public void Another_pattern_is_not_known() => Assert.Null(KnownPatterns.Find(@"\p{N}?"));

    /// <summary>Whoever trains r1-nano anew finds out here.</summary>
    [Fact]
    public void The_shipped_models_patterns_are_known()
    {
        var tokenizer = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "models", "r1-nano", "tokenizer.json"));
        Assert.Contains(
            System.Text.Json.JsonEncodedText.Encode(KnownPatterns.Nano, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping)
            .ToString(), tokenizer, StringComparison.Ordinal);
    }
}
