using System.Buffers;
using CsCheck;
using Microsoft.ML.Tokenizers;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Ours as Microsoft.ML.Tokenizers has them.</summary>
public sealed class TokenizerTypesTests
{
    private const string Nfc = """{"type":"NFC"}""";
    private const string Added = """[{"id":300,"content":"<|user|>","special":true,"rstrip":true},{"id":301,"content":"<think>","special":false}]""";

    private static readonly string[] Merges = ["Ġ a", "a b", "å Ń", "Ġa b", "Ã ©", "c a"];

    private static readonly Dictionary<string, Func<Tokenizer>> Kinds = new(StringComparer.Ordinal)
    {
        ["byte-level"] = () => TokenizerJson.Load(TokenizerJson.Create(Merges, normalizer: Nfc, addedTokens: Added)),
        ["prefixed"] = () => TokenizerJson.Load(TokenizerJson.Create(Merges, """{"type":"ByteLevel","add_prefix_space":true}""", addedTokens: Added)),
        ["SentencePiece"] = () => TokenizerJson.Load(SentencePieceJson.Bpe(addedTokens: Added)),
        ["Unigram"] = () => TokenizerJson.Load(SentencePieceJson.Unigram(addedTokens: Added)),
    };

    public static TheoryData<string> Names => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Tokens_cover_the_normalized_text_in_order_and_have_the_ids(string kind)
    {
        var tokenizer = Kinds[kind]();
        Texts().Sample(text =>
        {
            var tokens = tokenizer.EncodeToTokens(text, out var normalized);
            Assert.Equal(tokenizer.EncodeToIds(text), tokens.Select(token => token.Id));
            Assert.Equal(tokens.Count, tokenizer.CountTokens(text));
            var end = 0;
            foreach (var token in tokens)
            {
                Assert.Equal(end, token.Offset.Start.Value);
                Assert.True(token.Offset.End.Value >= end);
                end = token.Offset.End.Value;
            }

            Assert.Equal(normalized!.Length, end);
        });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_limit_gives_the_first_tokens_and_where_they_end(string kind)
    {
        var tokenizer = Kinds[kind]();
        const string Text = "ab c中 a<|user|> b";
        var all = tokenizer.EncodeToTokens(Text, out var normalized);
        for (var most = 1; most <= all.Count; most++)
        {
            var ids = tokenizer.EncodeToIds(Text, most, out var text, out var consumed);
            Assert.Equal(all.Take(most).Select(token => token.Id), ids);
            Assert.Equal(normalized, text);
            Assert.Equal(all[most - 1].Offset.End.Value, consumed);
            Assert.Equal(consumed, tokenizer.GetIndexByTokenCount(Text, most, out _, out var count));
            Assert.Equal(most, count);
            Assert.Equal(all[^most].Offset.Start.Value, tokenizer.GetIndexByTokenCountFromEnd(Text, most, out _, out _));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoding_into_a_buffer_is_decoding(string kind)
    {
        var tokenizer = Kinds[kind]();
        Texts().Sample(text =>
        {
            var ids = tokenizer.EncodeToIds(text);
            var whole = tokenizer.Decode(ids);
            var buffer = new char[whole.Length];
            Assert.Equal(OperationStatus.Done, tokenizer.Decode(ids, buffer, out var consumed, out var written));
            Assert.Equal((ids.Count, whole), (consumed, new string(buffer, 0, written)));
            if (whole.Length > 0)
                Assert.Equal(OperationStatus.DestinationTooSmall, tokenizer.Decode(ids, buffer.AsSpan(1), out _, out _));
        });
    }

    [Fact]
    public void Tokens_are_named_as_the_vocabulary_writes_them()
    {
        Assert.Equal("Ġab|c|å|Ń|¤|<|user|>", Values(TokenizerJson.Load(TokenizerJson.Create(["Ġ a", "Ġa b"], addedTokens: Added)), " abc孤<|user|>"));
        Assert.Equal("▁ab|<0xE5>|<0xAD>|<0xA4>|a|<|user|> ", Values(TokenizerJson.Load(SentencePieceJson.Bpe(addedTokens: Added)), "ab孤a<|user|> "));
    }

    [Fact]
    public void A_character_of_several_tokens_belongs_to_the_last()
    {
        var tokens = TokenizerJson.Load(TokenizerJson.Create(["å Ń"])).EncodeToTokens("a孤b", out _);
        Assert.Equal([0..1, 1..1, 1..2, 2..3], tokens.Select(token => token.Offset));
    }

    [Fact]
    public void Normalizer_and_pre_tokenizer_are_what_the_file_says()
    {
        var tokenizer = TokenizerJson.Load(TokenizerJson.Create(Merges, normalizer: Nfc));
        Assert.Equal("é", tokenizer.Normalizer.Normalize("e\u0301"));
        Assert.Equal("é", tokenizer.Normalizer.Normalize("e\u0301".AsSpan()));
        Assert.Equal([(0, 2), (2, 2)], tokenizer.PreTokenizer.PreTokenize("ab c"));
        Assert.Equal([(0, 2), (2, 2)], tokenizer.PreTokenizer.PreTokenize("ab c".AsSpan()));
        Assert.Equal("e\u0301", Unnormalized("e\u0301"));

        string Unnormalized(string text) =>
            tokenizer.Decode(tokenizer.EncodeToIds(text, considerPreTokenization: false, considerNormalization: false));
    }

    private static string Values(Tokenizer tokenizer, string text) =>
        string.Join('|', tokenizer.EncodeToTokens(text, out _).Select(token => token.Value));

    private static Gen<string> Texts() =>
        Gen.OneOf(Gen.Const("ab"), Gen.Const(" a"), Gen.Const("孤"), Gen.Const("😀"), Gen.Const("e\u0301"), Gen.Const("<|user|>"),
        Gen.Const("<think>"),
            Gen.Const("\n"), Gen.Const("  "), Gen.Const("caab")).Array[0, 12].Select(parts => string.Concat(parts));
}
