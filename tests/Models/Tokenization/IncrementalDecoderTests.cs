using System.Text;
using CsCheck;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Text;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

public sealed class IncrementalDecoderTests
{
    /// <summary>Bytes at the borders of UTF-8's rules: leads, continuations, surrogates, overlong and out of range.</summary>
    private static readonly byte[] Telling = [0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xE0, 0xE4, 0xED, 0xF0, 0xF4, 0xF5, 0xFF];

    [Fact]
    public void A_text_cut_anywhere_comes_in_whole_characters() =>
        (from text in Gen.Int[0, TokenizerStrings.All.Count - 1].Select(i => TokenizerStrings.All[i])
         from cuts in Gen.Int[1, 6].Array[Math.Max(1, Encoding.UTF8.GetByteCount(text))]
         select (text, cuts)).Sample(
            drawn =>
            {
                var tokens = Cut(Encoding.UTF8.GetBytes(drawn.text), drawn.cuts);
                var pieces = Decode(tokens);
                Assert.Equal(drawn.text, string.Concat(pieces));
                Assert.All(pieces, AssertWhole);
                Assert.Empty(pieces[^1]);
            },
            iter: 300);

    [Fact]
    public void Any_bytes_decode_as_all_at_once() =>
        Gen.Byte.Array[0, 12].Array[0, 40].Sample(
            tokens =>
            {
                var pieces = Decode(tokens);
                Assert.Equal(Encoding.UTF8.GetString([.. tokens.SelectMany(t => t)]), string.Concat(pieces));
                Assert.All(pieces, AssertWhole);
            },
            iter: 2000);

    [Fact]
    public void Bytes_that_look_like_characters_decode_as_all_at_once() =>
        Gen.Int[0, Telling.Length - 1].Select(i => Telling[i]).Array[0, 5].Array[0, 40].Sample(
            tokens => Assert.Equal(Encoding.UTF8.GetString([.. tokens.SelectMany(t => t)]), string.Concat(Decode(tokens))),
            iter: 2000);

    [Fact]
    public void An_unfinished_character_is_replaced_at_the_end_only()
    {
        var decoder = new IncrementalDecoder(new ByteTokens([[0xF0, 0x9F], [0x98], [(byte)'a', 0xE4]]));

        Assert.Empty(decoder.Append(0));
        Assert.Empty(decoder.Append(1));
        Assert.Equal("\uFFFDa", decoder.Append(2));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Empty(decoder.Flush());
        Assert.Empty(decoder.Append(1 << 20));
    }

    [Fact]
    public void A_token_without_a_whole_character_allocates_nothing()
    {
        var decoder = new IncrementalDecoder(new ByteTokens([[0xF0, 0x9F], [0x98], [0x80]]));
        decoder.Append(0);
        decoder.Append(1);
        decoder.Append(2);

        var before = GC.GetAllocatedBytesForCurrentThread();
        decoder.Append(0);
        decoder.Append(1);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal("😀", decoder.Append(2));
    }

    private static List<string> Decode(byte[][] tokens)
    {
        var decoder = new IncrementalDecoder(new ByteTokens(tokens));
        return [.. Enumerable.Range(0, tokens.Length).Select(decoder.Append), decoder.Flush()];
    }

    private static byte[][] Cut(byte[] bytes, int[] sizes)
    {
        var tokens = new List<byte[]>();
        for (var start = 0; start < bytes.Length; start += tokens[^1].Length)
        {
            tokens.Add(bytes[start..Math.Min(bytes.Length, start + sizes[tokens.Count])]);
        }

        return [.. tokens];
    }

    private static void AssertWhole(string piece)
    {
        if (piece.Length > 0)
        {
            Assert.False(char.IsLowSurrogate(piece[0]));
            Assert.False(char.IsHighSurrogate(piece[^1]));
        }
    }

    /// <summary>Tokens that are the given bytes; nothing can be encoded.</summary>
    private sealed class ByteTokens(byte[][] tokens) : ITokenizer
    {
        public int VocabularySize => tokens.Length;

        public IReadOnlyList<int> Encode(string text, bool recogniseAdded) => throw new NotSupportedException();

        public IReadOnlyList<int> Encode(MarkedText text) => throw new NotSupportedException();

        public int? AddedToken(string text) => null;

        public ReadOnlySpan<byte> Bytes(int id) => id < tokens.Length ? tokens[id] : [];
    }
}
