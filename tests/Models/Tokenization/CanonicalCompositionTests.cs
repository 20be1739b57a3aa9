using System.Text;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class CanonicalCompositionTests
{
    [Theory]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("a\u0323\u0302", "\u1EAD")]
    [InlineData("a\u0302\u0323", "\u1EAD")]
    [InlineData("\u1100\u1161\u11A8", "\uAC01")]
    [InlineData("\uAC00\u11A7", "\uAC00\u11A7")]
    [InlineData("\u212B\u2126", "\u00C5\u03A9")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("plain é 中文 😀", "plain é 中文 😀")]
    [InlineData("", "")]
    public void Composes(string text, string expected) => Assert.Equal(expected, CanonicalComposition.Apply(text));

    [Fact]
    public void Equals_the_reference_on_every_character_it_concerns_and_on_mixtures()
    {
        int[] characters =
        [
            .. CanonicalData.Classes.Keys, .. CanonicalData.Decompositions.Keys, .. CanonicalData.Unstable, 0x1100, 0x1112, 0x1113, 0x1160, 0x1161,
                0x1175, 0x1176, 0x11A7,
            0x11A8, 0x11C2, 0x11C3, 0xAC00, 0xAC01, 0xAC1C, 0xD7A3, 0xD7A4, 'a', 'e', 'o', 'A', ' ', '中',
        ];
        var random = new Random(15);
        var mixtures = Enumerable.Range(0, 4000).Select(
            _ => string.Concat(Enumerable.Range(0, random.Next(2, 9)).Select(_ => new Rune(Drawn(characters, random)).ToString())));
        string[] texts = [.. characters.Select(c => new Rune(c).ToString()), .. TokenizerStrings.All, .. mixtures];

        Assert.Equal(NodeOracle.Answers<string>(texts, "normalize.mjs"), texts.Select(CanonicalComposition.Apply));
    }

    [Fact]
    public void A_tokenizer_with_NFC_sees_composed_text()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(["Ã ©"], normalizer: """{"type":"Sequence","normalizers":[{"type":"NFC"}]}"""));

        Assert.Equal([256], tokenizer.Encode("e\u0301", recogniseAdded: false));
        Assert.Equal([256], tokenizer.Encode("e\u0301", recogniseAdded: true));
    }

    /// <summary>Half of the characters are those that meet each other often: Latin and Hangul.</summary>
    private static int Drawn(int[] characters, Random random) =>
        random.Next(2) == 0 ? characters[random.Next(characters.Length)]
        : random.Next(3) switch { 0 => 0x0300 + random.Next(0x30), 1 => 'a' + random.Next(26), _ => 0x1161 + random.Next(30) };
}
