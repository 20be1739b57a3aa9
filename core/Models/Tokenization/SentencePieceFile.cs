using System.Text.Json;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Reads SentencePiece's tokenizer.model (a ModelProto of sentencepiece_model.proto) as Hugging Face converts it: a space before every text, spaces
/// as U+2581, control pieces as special tokens, and as merges every way to put a piece together from two others.
/// </summary>
internal sealed class SentencePieceFile
{
    private const int BpeType = 2;
    private const int Unknown = 2, Control = 3, UserDefined = 4, Unused = 5;

    private readonly List<(string Text, float Score, int Type)> _pieces = [];
    private int _modelType = 1, _unknown;
    private bool _byteFallback, _spaceAtEnd, _hasCharacterMap;
    private bool _spaceBefore = true, _joinsSpaces = true, _escapesSpaces = true;

    /// <exception cref="InvalidModelException">It is damaged.</exception>
    /// <exception cref="UnsupportedTokenizerException">It is of a kind that cannot be loaded exactly.</exception>
    public static TokenizerFile Read(string path)
    {
        SentencePieceFile file = new();
        using var stream = File.OpenRead(path);
        ProtobufReader reader = new(stream, path, "SentencePiece model");
        Fields(reader, stream.Length, field =>
        {
            if (field is < 1 or > 3) return false;
            var end = reader.Enter();
            if (field == 1) file.ReadPiece(reader, end);
            else if (field == 2) file.ReadTrainer(reader, end);
            else file.ReadNormalizer(reader, end);
            return true;
        });
        return file.Build(path);
    }

    /// <summary>Reads fields up to <paramref name="end"/>; those that <paramref name="read"/> does not take are stepped over.</summary>
    private static void Fields(ProtobufReader reader, long end, Func<int, bool> read)
    {
        for (var field = reader.Next(end); field != 0; field = reader.Next(end))
        {
            if (!read(field)) reader.Skip();
        }
    }

    private void ReadPiece(ProtobufReader reader, long end)
    {
        var (text, score, type) = (string.Empty, 0f, 1);
        Fields(reader, end, field =>
        {
            if (field == 1) text = reader.Text();
            else if (field == 2) score = reader.Single();
            else if (field == 3) type = (int)reader.Integer();
            return field is >= 1 and <= 3;
        });
        _pieces.Add((text, score, type));
    }

    private void ReadTrainer(ProtobufReader reader, long end) => Fields(reader, end, field =>
    {
        if (field == 3) _modelType = (int)reader.Integer();
        else if (field == 24) _spaceAtEnd = reader.Integer() != 0;
        else if (field == 35) _byteFallback = reader.Integer() != 0;
        else if (field == 40) _unknown = (int)reader.Integer();
        else return false;
        return true;
    });

    private void ReadNormalizer(ProtobufReader reader, long end) => Fields(reader, end, field =>
    {
        if (field == 2) _hasCharacterMap = reader.Text().Length > 0;
        else if (field == 3) _spaceBefore = reader.Integer() != 0;
        else if (field == 4) _joinsSpaces = reader.Integer() != 0;
        else if (field == 5) _escapesSpaces = reader.Integer() != 0;
        else return false;
        return true;
    });

    private TokenizerFile Build(string path)
    {
        var isBpe = _modelType == BpeType;
        Refuse(_modelType is not (1 or BpeType), "is neither BPE nor Unigram");
        Refuse(isBpe != _byteFallback, "is BPE without byte_fallback, or Unigram with it");
        Refuse(_hasCharacterMap || _joinsSpaces, "normalizes text (a character map, or spaces joined)");
        Refuse(_spaceAtEnd || !_escapesSpaces, "writes spaces otherwise than as U+2581 before words");
        Refuse(_pieces.Exists(piece => piece.Type == Unused), "has unused pieces");
        Refuse(!isBpe && (_unknown < 0 || _unknown >= _pieces.Count), "has no piece for what it lacks");
        List<AddedToken> added = [];
        Dictionary<string, int> vocabulary = new(StringComparer.Ordinal);
        foreach (var (id, piece) in _pieces.Index())
        {
            var isText = piece.Type == UserDefined;
            if (isText || piece.Type is Unknown or Control)
                added.Add(new AddedToken(id, piece.Text, Special: !isText, false, false, false, false) { IsText = isText });
            if (piece.Type is not (Unknown or Control)) vocabulary[piece.Text] = id;
        }

        Refuse(isBpe && TokenBytes.Lacking(vocabulary) is not null, $"lacks the piece {TokenBytes.Lacking(vocabulary)}");
        return new TokenizerFile
        {
            AddedTokens = added.DistinctBy(t => t.Content).ToList(),
            Normalizer = TextNormalizer.Parse(JsonElement.Parse(_spaceBefore
                ? """{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"""
                : """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""")),
            PreTokenizer = StagedPreTokenizer.Parse(null, TokenSpelling.SentencePiece),
            Spelling = TokenSpelling.SentencePiece,
            Vocabulary = vocabulary,
            Merges = isBpe ? Merges(vocabulary) : [],
            Scores = isBpe ? null : [.. _pieces.Select(piece => (double)piece.Score)],
            Unknown = isBpe ? null : _unknown,
            LeadingSpaces = _spaceBefore ? 1 : 0,
        };

        void Refuse(bool condition, string what)
        {
            if (condition)
                throw new UnsupportedTokenizerException(
                    $"{path} {what}; SentencePiece's BPE with byte_fallback and Unigram are supported where they take text as it is. "
                    + "If its authors publish a tokenizer.json, put that beside it.");
        }
    }

    /// <summary>The likeliest piece first; those that are equally likely are of one rank, where the leftmost wins.</summary>
    private List<Merge> Merges(Dictionary<string, int> vocabulary)
    {
        List<Merge> merges = [];
        var ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        var (rank, last) = (0, float.NaN);
        foreach (var (text, id) in vocabulary.OrderByDescending(piece => _pieces[piece.Value].Score))
        {
            if (_pieces[id].Score != last) rank++;
            last = _pieces[id].Score;
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (ids.TryGetValue(text.AsSpan(0, cut), out var left) && ids.TryGetValue(text.AsSpan(cut), out var right))
                    merges.Add(new Merge(left, right, id, rank));
            }
        }

        return merges;
    }
}
