using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Reads tokenizer.json. A start waits for it, and a large model's has 150,000 tokens and as many merges: those are read as a stream, all else as a document.
/// </summary>
internal sealed partial class TokenizerFileReader
{
    /// <summary>Characters that merges rarely exceed.</summary>
    private const int UsualMerge = 256;

    /// <summary>Bytes of the file per token of the vocabulary, its merge included.</summary>
    private const int BytesPerToken = 60;

    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal), _model = new(StringComparer.Ordinal);
    private Dictionary<string, int>? _vocabulary;
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
        if (!_hasModel) throw new UnsupportedTokenizerException("tokenizer.json has no model; a byte-level BPE is supported.");
        // GPT-2's first files do not name the type; BPE alone has merges.
        if (_model.Member("type")?.GetString() is { } type ? type != "BPE" : _merges is null)
        {
            throw new UnsupportedTokenizerException($"The model of tokenizer.json is '{_model.Member("type")?.GetString()}'; byte-level BPE is supported.");
        }

        foreach (var option in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (_model.Member(option)?.GetString() is { Length: > 0 })
            {
                throw new UnsupportedTokenizerException($"The model of tokenizer.json has a {option}; byte-level BPE without one is supported.");
            }
        }

        if (_model.Member("byte_fallback")?.GetBoolean() == true)
        {
            throw new UnsupportedTokenizerException("The model of tokenizer.json is BPE with byte_fallback (SentencePiece); byte-level BPE is supported.");
        }

        var added = _members.Member("added_tokens")?.Deserialize(Json.Default.ListAddedToken) ?? [];
        var reserved = added.Select(t => t.Content).ToHashSet(StringComparer.Ordinal);
        if (_vocabulary is not { } vocabulary || _merges is not { } merges) throw new JsonException("its model has no vocab or no merges");
        foreach (var token in reserved) vocabulary.Remove(token);
        return new TokenizerFile
        {
            AddedTokens = added,
            Normalizer = TextNormalizer.Parse(_members.Member("normalizer")),
            PreTokenizer = PreTokenizer.Parse(_members.Member("pre_tokenizer")),
            Vocabulary = vocabulary,
            Merges = Pairs(merges.Span, vocabulary, reserved),
            IgnoreMerges = _model.Member("ignore_merges")?.GetBoolean() ?? false,
        };
    }

    private static Dictionary<string, int> Tokens(ref Utf8JsonReader reader, int capacity)
    {
        var tokens = new Dictionary<string, int>(capacity, StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var token = reader.GetString()!;
            reader.Read();
            tokens[token] = reader.GetInt32();
        }

        return tokens;
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
                if (left <= 0) throw new UnsupportedTokenizerException($"A merge of tokenizer.json is '{new string(text, 0, length)}'; two tokens were expected.");
                text.AsSpan(left + 1, length - left - 1).CopyTo(text.AsSpan(left));
                length--;
            }

            ReadOnlySpan<char> first = text.AsSpan(0, left), second = text.AsSpan(left, length - left), whole = text.AsSpan(0, length);
            if (ids.TryGetValue(first, out var firstId) && ids.TryGetValue(second, out var secondId) && ids.TryGetValue(whole, out var wholeId))
            {
                pairs.Add(new Merge(firstId, secondId, wholeId));
            }
            else if (!reserved.Overlaps([first.ToString(), second.ToString(), whole.ToString()]))
            {
                throw new UnsupportedTokenizerException($"The merge '{first} {second}' of tokenizer.json names or makes a token that its vocabulary does not have.");
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
