using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Reads tokenizer.json. A start waits for it, and a large model's has 150,000 tokens and as many merges: those are read as a stream, all else as a
/// document.
/// </summary>
internal sealed partial class TokenizerFileReader
{
    /// <summary>Characters that merges rarely exceed.</summary>
    private const int UsualMerge = 256;

    /// <summary>Far more than any vocabulary has; tables are as long as the highest id.</summary>
    private const int MaxId = 1 << 24;

    private const string Supported = "byte-level BPE, SentencePiece's BPE with byte_fallback, Unigram and WordPiece are supported";

    private const string WordPiece = "WordPiece";

    /// <summary>Bytes of the file per token of the vocabulary, its merge included.</summary>
    private const int BytesPerToken = 60;

    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal), _model = new(StringComparer.Ordinal);
    private Dictionary<string, int>? _vocabulary;
    private List<double>? _scores;
    private ReadOnlyMemory<byte>? _merges;
    private bool _hasModel;

    /// <exception cref="JsonException">It is no JSON.</exception>
    /// <exception cref="InvalidOperationException">A value is of another kind than expected.</exception>
    /// <exception cref="UnsupportedTokenizerException">It is of a kind that cannot be loaded exactly.</exception>
    public static TokenizerFile Read(ReadOnlyMemory<byte> json)
    {
        TokenizerFileReader file = new();
        file.ReadRoot(json);
        return file.Build();
    }

    private void ReadRoot(ReadOnlyMemory<byte> json)
    {
        Utf8JsonReader reader = new(json.Span);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name != "model" || reader.TokenType != JsonTokenType.StartObject) _members[name] = JsonElement.ParseValue(ref reader);
            else ReadModel(ref reader, json);
        }

        // What follows the object is no JSON.
        reader.Read();
    }

    private void ReadModel(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        _hasModel = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            switch (name, reader.TokenType)
            {
                case ("vocab", JsonTokenType.StartObject):
                    _vocabulary = Tokens(ref reader, json.Length / BytesPerToken);
                    break;
                case ("vocab", JsonTokenType.StartArray):
                    (_vocabulary, _scores) = ScoredTokens(ref reader);
                    break;
                case ("merges", JsonTokenType.StartArray):
                    // They need the vocabulary and the added tokens, wherever those are.
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    _merges = json[start..(int)reader.BytesConsumed];
                    break;
                case ("vocab" or "merges", not JsonTokenType.Null):
                    // Another kind's, which its type tells.
                    reader.Skip();
                    break;
                default:
                    _model[name] = JsonElement.ParseValue(ref reader);
                    break;
            }
        }
    }

    private TokenizerFile Build()
    {
        if (!_hasModel) throw new UnsupportedTokenizerException($"tokenizer.json has no model; {Supported}.");
        // GPT-2's first files do not name the type; BPE alone has merges.
        var type = _model.Member("type")?.GetString() ?? (_merges is null ? string.Empty : "BPE");
        if (type is not ("BPE" or "Unigram" or WordPiece))
            throw new UnsupportedTokenizerException($"The model of tokenizer.json is '{type}'; {Supported}.");

        if (type != WordPiece) foreach (var option in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (_model.Member(option)?.GetString() is { Length: > 0 })
                throw new UnsupportedTokenizerException($"The model of tokenizer.json has a {option}; BPE without one is supported.");
        }

        if (_vocabulary is not { } vocabulary) throw new JsonException("its model has no vocab");
        var hasByteFallback = _model.Member("byte_fallback")?.GetBoolean() == true;
        var spelling = type == WordPiece ? TokenSpelling.Plain
            : hasByteFallback || type == "Unigram" ? TokenSpelling.SentencePiece : TokenSpelling.ByteLevel;
        var added = (_members.Member("added_tokens")?.Deserialize(Json.Default.ListAddedToken) ?? []).DistinctBy(t => t.Content)
            .Select(t => t.AsTextIf(isTrained: spelling == TokenSpelling.SentencePiece && vocabulary.ContainsKey(t.Content))).ToList();
        foreach (var token in added) CheckId(token.Id);
        var reserved = added.Where(t => !t.IsText).Select(t => t.Content).ToHashSet(StringComparer.Ordinal);
        Dictionary<string, int> trained = new(StringComparer.Ordinal);
        // A word can be one of WordPiece's all the same, as with the reference.
        if (type != WordPiece) foreach (var token in reserved)
        {
            if (vocabulary.Remove(token, out var id)) trained[token] = id;
        }

        var file = new TokenizerFile
        {
            AddedTokens = added,
            Normalizer = TextNormalizer.Parse(_members.Member("normalizer")),
            PreTokenizer = StagedPreTokenizer.Parse(_members.Member("pre_tokenizer"), spelling),
            Spelling = spelling,
            Vocabulary = vocabulary,
            Reserved = trained,
            PostProcessor = _members.Member("post_processor"),
            LeadingSpaces = spelling == TokenSpelling.SentencePiece ? DecoderStages.LeadingSpaces(_members.Member("decoder")) : 0,
        };
        // The reference then takes no text for the first where white space was dropped.
        if (file is { Normalizer.StripsLeft: true, PreTokenizer.PrefixesFirstOnly: true })
            throw new UnsupportedTokenizerException(
                "tokenizer.json has Strip with strip_left, and Metaspace with the prepend_scheme first; one of them is supported.");

        return type switch
        {
            WordPiece => Words(file),
            "Unigram" => Unigram(file, hasByteFallback),
            _ => Bpe(file, hasByteFallback, reserved),
        };
    }

    private TokenizerFile Words(TokenizerFile file)
    {
        var unknown = _model.Member("unk_token")?.GetString() ?? "[UNK]";
        return file.Vocabulary.TryGetValue(unknown, out var id)
            ? file with
            {
                Unknown = id,
                ContinuingPrefix = _model.Member("continuing_subword_prefix")?.GetString() ?? "##",
                LongestWord = _model.Member("max_input_chars_per_word")?.GetInt32() ?? file.LongestWord,
            }
            : throw new UnsupportedTokenizerException(
                $"The model of tokenizer.json is WordPiece, but its vocabulary lacks its unk_token '{unknown}'.");
    }

    private TokenizerFile Bpe(TokenizerFile file, bool hasByteFallback, HashSet<string> reserved)
    {
        if (_scores is not null || _merges is not { } merges) throw new JsonException("its model's vocab is a list, or it has no merges");
        if (hasByteFallback && TokenBytes.Lacking(file.Vocabulary) is { } lacking)
            throw new UnsupportedTokenizerException($"The model of tokenizer.json has byte_fallback, but its vocabulary lacks {lacking}.");

        return file with
        {
            Merges = Pairs(merges.Span, _vocabulary!, reserved),
            IgnoreMerges = _model.Member("ignore_merges")?.GetBoolean() ?? false,
        };
    }

    private TokenizerFile Unigram(TokenizerFile file, bool hasByteFallback)
    {
        if (_scores is not { } scores) throw new JsonException("its model's vocab is no list of tokens with scores");
        if (hasByteFallback)
            throw new UnsupportedTokenizerException("The model of tokenizer.json is Unigram with byte_fallback; Unigram without it is supported.");

        return _model.Member("unk_id")?.GetInt32() is { } unknown && unknown >= 0 && unknown < scores.Count
            ? file with { Scores = scores, Unknown = unknown }
            : throw new UnsupportedTokenizerException("The model of tokenizer.json is Unigram without an unk_id that its vocabulary has.");
    }

    private static Dictionary<string, int> Tokens(ref Utf8JsonReader reader, int capacity)
    {
        var tokens = new Dictionary<string, int>(capacity, StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var token = reader.GetString()!;
            reader.Read();
            tokens[token] = CheckId(reader.GetInt32());
        }

        return tokens;
    }

    private static int CheckId(int id) => id is >= 0 and <= MaxId ? id
        : throw new UnsupportedTokenizerException($"tokenizer.json has a token with the id {id}; ids from 0 to {MaxId} are supported.");

    /// <summary>Each is [TOKEN, SCORE]; its place is its id.</summary>
    private static (Dictionary<string, int> Vocabulary, List<double> Scores) ScoredTokens(ref Utf8JsonReader reader)
    {
        Dictionary<string, int> vocabulary = new(StringComparer.Ordinal);
        List<double> scores = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.StartArray)
        {
            reader.Read();
            vocabulary[reader.GetString()!] = scores.Count;
            reader.Read();
            scores.Add(reader.TokenType == JsonTokenType.Number ? ReferenceNumber.Parse(reader.ValueSpan)
                : throw new JsonException("a score of its vocab is no number"));
            reader.Read();
            if (reader.TokenType != JsonTokenType.EndArray) throw new JsonException("an entry of its vocab has more than a token and a score");
        }

        return reader.TokenType == JsonTokenType.EndArray ? (vocabulary, scores)
            : throw new JsonException("its vocab is no list of tokens with scores");
    }

    /// <summary>Each is "LEFT RIGHT", or, as newer files have it, ["LEFT", "RIGHT"].</summary>
    private static List<Merge> Pairs(ReadOnlySpan<byte> merges, Dictionary<string, int> vocabulary, HashSet<string> reserved)
    {
        var pairs = new List<Merge>(vocabulary.Count);
        var ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        Utf8JsonReader reader = new(merges);
        var text = new char[UsualMerge];
        for (reader.Read(); reader.Read() && reader.TokenType != JsonTokenType.EndArray;)
        {
            var isPair = reader.TokenType == JsonTokenType.StartArray;
            if (isPair) reader.Read();
            var (left, length) = (0, Append(ref reader, 0));
            if (isPair)
            {
                reader.Read();
                (left, length) = (length, Append(ref reader, length));
                reader.Read();
                if (reader.TokenType != JsonTokenType.EndArray) throw new JsonException("a merge has more than two tokens");
            }
            else
            {
                left = text.AsSpan(0, length).IndexOf(' ');
                if (left <= 0)
                    throw new UnsupportedTokenizerException(
                        $"A merge of tokenizer.json is '{new string(text, 0, length)}'; two tokens were expected.");
                text.AsSpan(left + 1, length - left - 1).CopyTo(text.AsSpan(left));
                length--;
            }

            ReadOnlySpan<char> first = text.AsSpan(0, left), second = text.AsSpan(left, length - left), whole = text.AsSpan(0, length);
            if (ids.TryGetValue(first, out var firstId) && ids.TryGetValue(second, out var secondId) && ids.TryGetValue(whole, out var wholeId))
            {
                pairs.Add(new Merge(firstId, secondId, wholeId, pairs.Count));
            }
            else if (!reserved.Overlaps([first.ToString(), second.ToString(), whole.ToString()]))
            {
                throw new UnsupportedTokenizerException(
                    $"The merge '{first} {second}' of tokenizer.json names or makes a token that its vocabulary does not have.");
            }
        }

        return pairs;

        // Unescaped, a string has no more characters than it has bytes in the file.
        int Append(ref Utf8JsonReader reader, int at)
        {
            if (text.Length < at + reader.ValueSpan.Length) Array.Resize(ref text, 2 * (at + reader.ValueSpan.Length));
            return at + reader.CopyString(text.AsSpan(at));
        }
    }

    [JsonSerializable(typeof(List<AddedToken>))]
    private sealed partial class Json : JsonSerializerContext;
}
