using System.Text;
using System.Text.Json;
using R1Serverless.Models;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>SentencePiece's own tokenizer.model, written here as its schema (sentencepiece_model.proto) says.</summary>
public sealed class SentencePieceFileTests : IDisposable
{
    private const int Unigram = 1, Bpe = 2;
    private const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.model");

    /// <summary>The same vocabulary from either file.</summary>
    [Fact]
    public void Llama_2_has_the_ids_that_its_tokenizer_json_gives()
    {
        var json = NodeOracle.Installed(RepositoryFiles.Path("tests", "oracles", "node_modules", "@lenml", "tokenizer-llama2", "models",
            "tokenizer.json"));
        using var document = JsonDocument.Parse(File.ReadAllBytes(json));
        var model = document.RootElement.GetProperty("model");
        var ranks = model.GetProperty("merges").EnumerateArray()
            .Select(merge => merge.GetString()!.Replace(" ", string.Empty, StringComparison.Ordinal))
            .Distinct().Index().ToDictionary(merge => merge.Item, merge => -merge.Index);
        var pieces = model.GetProperty("vocab").EnumerateObject().OrderBy(token => token.Value.GetInt32()).Select(
            token => (token.Name, (float)ranks.GetValueOrDefault(token.Name, int.MinValue), token.Value.GetInt32() switch
            {
                0 => Unknown,
                1 or 2 => Control,
                < 259 => Byte,
                _ => Normal,
            }));
        HuggingFaceTokenizer ours = Load(Bpe, pieces), theirs = HuggingFaceTokenizer.Load(json);
        Assert.Equal((theirs.VocabularySize, theirs.LeadingSpaces, theirs.AddedToken("<s>")), (ours.VocabularySize, ours.LeadingSpaces,
            ours.AddedToken("<s>")));
        foreach (var text in TokenizerStrings.All.Append("<s>a</s>b"))
        {
            Assert.Equal(theirs.Encode(text, recogniseAdded: true), ours.Encode(text, recogniseAdded: true));
            Assert.Equal(theirs.Encode(text, recogniseAdded: false), ours.Encode(text, recogniseAdded: false));
        }
    }

    [Fact]
    public void Unigram_has_its_ids_too()
    {
        var tokenizer = Load(Unigram, [("<unk>", 0, Unknown), ("</s>", 0, Control), ("▁", -2, Normal), ("a", -3, Normal), ("▁a", -4, Normal)]);
        Assert.Equal([4, 3, 2, 0], tokenizer.Encode("aa 中国", recogniseAdded: true));
        Assert.Equal("aa ", tokenizer.Decode([4, 3, 2, 0, 1]));
    }

    [Fact]
    public void Pieces_that_the_user_defined_are_whole_in_every_text()
    {
        var tokenizer = Load(Unigram, [("<unk>", 0, Unknown), ("<b>", 0, UserDefined), ("▁", -2, Normal), ("a", -3, Normal), ("<", -3, Normal)]);
        Assert.Equal([2, 3, 1, 2, 3], tokenizer.Encode("a<b>a", recogniseAdded: false));
        Assert.Equal("a<b> a", tokenizer.Decode([2, 3, 1, 2, 3]));
    }

    [Theory]
    [InlineData(3, Unigram, false, 0, "neither")]
    [InlineData(Bpe, Normal, false, 0, "byte_fallback")]
    [InlineData(Unigram, Normal, true, 0, "byte_fallback")]
    [InlineData(Bpe, Normal, true, 0, "<0x00>")]
    [InlineData(Unigram, Unused, false, 0, "unused")]
    [InlineData(Unigram, Normal, false, 9, "lacks")]
    public void What_cannot_be_loaded_exactly_is_refused_by_name(int model, int type, bool byteFallback, int unknown, string named)
    {
        Write(model, [("a", 0, type)], byteFallback, unknown);
        var refusal = Assert.Throws<UnsupportedTokenizerException>(() => HuggingFaceTokenizer.Load(_path));
        Assert.Contains(named, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "map")]
    [InlineData(4, "map")]
    public void A_normalizer_is_refused(int field, string named)
    {
        Write(Unigram, [("<unk>", 0, Unknown), ("a", 0, Normal)], byteFallback: false, 0, normalizer =>
        {
            if (field == 2) Write(normalizer, 2, Encoding.UTF8.GetBytes("x"));
            if (field == 4) Write(normalizer, 4, 1);
        });
        var refusal = Assert.Throws<UnsupportedTokenizerException>(() => HuggingFaceTokenizer.Load(_path));
        Assert.Contains(named, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_file_is_said_to_be_one()
    {
        File.WriteAllBytes(_path, [0x0A, 0xFF, 0x01]);
        Assert.Contains(_path, Assert.Throws<InvalidModelException>(() => HuggingFaceTokenizer.Load(_path)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => File.Delete(_path);

    private HuggingFaceTokenizer Load(int model, IEnumerable<(string Text, float Score, int Type)> pieces)
    {
        Write(model, pieces, byteFallback: model == Bpe);
        return HuggingFaceTokenizer.Load(_path);
    }

    private void Write(int model, IEnumerable<(string Text, float Score, int Type)> pieces, bool byteFallback, int unknown = 0,
        Action<BinaryWriter>? normalizer = null) =>
        File.WriteAllBytes(_path, Message(file =>
        {
            foreach (var piece in pieces)
            {
                Write(file, 1, Message(message =>
                {
                    Write(message, 1, Encoding.UTF8.GetBytes(piece.Text));
                    message.Write7BitEncodedInt((2 << 3) | 5);
                    message.Write(piece.Score);
                    Write(message, 3, piece.Type);
                }));
            }

            Write(file, 2, Message(trainer =>
            {
                Write(trainer, 3, model);
                Write(trainer, 35, byteFallback ? 1 : 0);
                Write(trainer, 40, unknown);
            }));
            Write(file, 3, Message(normalizer ?? (message => Write(message, 4, 0))));
        }));

    private static byte[] Message(Action<BinaryWriter> write)
    {
        using MemoryStream bytes = new();
        using (BinaryWriter writer = new(bytes, Encoding.UTF8, leaveOpen: true)) write(writer);
        return bytes.ToArray();
    }

    private static void Write(BinaryWriter message, int field, int number)
    {
        message.Write7BitEncodedInt(field << 3);
        message.Write7BitEncodedInt(number);
    }

    private static void Write(BinaryWriter message, int field, byte[] bytes)
    {
        message.Write7BitEncodedInt((field << 3) | 2);
        message.Write7BitEncodedInt(bytes.Length);
        message.Write(bytes);
    }
}
