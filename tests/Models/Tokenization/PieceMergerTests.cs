using CsCheck;
using Microsoft.ML.Tokenizers;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class PieceMergerTests
{
    /// <summary>Merges that compete and build on each other.</summary>
    private static readonly string[] Merges = ["a a", "a b", "aa a", "b a", "aa aa", "ab ab", "c a", "aaa b", "ba c", "aa b", "Ã ¤", "¤ a"];

    /// <summary>Words of up to 60 characters, and long pieces, which are merged in another way.</summary>
    [Theory]
    [InlineData(0, 60, 3000)]
    [InlineData(60, 200, 500)]
    public void Merges_as_a_library_does(int shortest, int longest, int times)
    {
        var file = TokenizerJson.Parse(TokenizerJson.Create(Merges));
        var library = BpeTokenizer.Create(new BpeOptions(file.Vocabulary) { Merges = Merges, ByteLevel = true });
        var ours = new PieceMerger(file);

        Gen.Char["abcä"].Array[shortest, longest].Sample(
            characters =>
            {
                var ids = new List<int>();
                ours.Append(characters, ids);
                Assert.Equal(library.EncodeToIds(characters, considerPreTokenization: false, considerNormalization: false), ids);
            },
            iter: times);
    }

    [Fact]
    public void Bytes_that_the_vocabulary_lacks_are_left_out()
    {
        var json = TokenizerJson.Create(["a b"]);
        json["model"]!["vocab"]!.AsObject().Remove("c");
        var ours = new PieceMerger(TokenizerJson.Parse(json));
        List<int> ids = [], expected = [];
        ours.Append("acb", ids);
        ours.Append("ab", expected);
        Assert.Equal(expected, ids);
        ours.Append(string.Concat(Enumerable.Repeat("acb", 50)), ids);
        Assert.Equal(Enumerable.Repeat(expected[0], 51), ids);
    }
}
