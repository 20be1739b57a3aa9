using CsCheck;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class LongPieceMergerTests
{
    [Fact]
    public void Merges_as_the_library_does()
    {
        // Merges that compete and build on each other.
        var file = TokenizerJson.Parse(TokenizerJson.Create(["a a", "a b", "aa a", "b a", "aa aa", "ab ab", "c a", "aaa b", "ba c", "aa b", "Ã ¤", "¤ a"]));
        var library = HuggingFaceTokenizer.Merger(file);
        var ours = new LongPieceMerger(file);

        Gen.Char["abcä"].Array[0, 60].Sample(
            characters =>
            {
                var ids = new List<int>();
                ours.Append(characters, ids);
                Assert.Equal(library.EncodeToIds(characters, considerPreTokenization: false, considerNormalization: false), ids);
            },
            iter: 3000);
    }
}
