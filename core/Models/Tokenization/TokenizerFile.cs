using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Models.Tokenization;

/// <summary>What a Hugging Face tokenizer.json of byte-level BPE says.</summary>
internal sealed partial record TokenizerFile
{
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    public required TextNormalizer Normalizer { get; init; }

    public required PreTokenizer PreTokenizer { get; init; }

    /// <summary>Tokens that text can merge into, in the byte-level alphabet. Added tokens are not among them, so that no text becomes one by merging.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>The strongest first. Those that would make an added token, or need one, are left out.</summary>
    public required IReadOnlyList<Merge> Merges { get; init; }

    /// <summary>A piece that is in the vocabulary is that token, whether or not merging leads to it.</summary>
    public required bool IgnoreMerges { get; init; }

    /// <exception cref="UnsupportedTokenizerException">The file is malformed, or of a kind that cannot be loaded exactly.</exception>
    public static TokenizerFile Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return Parse(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new UnsupportedTokenizerException($"{path} is not a tokenizer.json as Hugging Face writes it: {e.Message}", e);
        }
    }

    private static TokenizerFile Parse(JsonElement root)
    {
        var model = root.Member("model") ?? throw new UnsupportedTokenizerException("tokenizer.json has no model; a byte-level BPE is supported.");
        // GPT-2's first files do not name the type; BPE alone has merges.
        if (model.Member("type")?.GetString() is { } type ? type != "BPE" : model.Member("merges") is null)
        {
            throw new UnsupportedTokenizerException($"The model of tokenizer.json is '{model.Text("type")}'; byte-level BPE is supported.");
        }

        foreach (var option in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (model.Text(option).Length > 0)
            {
                throw new UnsupportedTokenizerException($"The model of tokenizer.json has a {option}; byte-level BPE without one is supported.");
            }
        }

        if (model.Flag("byte_fallback"))
        {
            throw new UnsupportedTokenizerException("The model of tokenizer.json is BPE with byte_fallback (SentencePiece); byte-level BPE is supported.");
        }

        var added = root.Member("added_tokens")?.Deserialize(Json.Default.ListAddedToken) ?? [];
        var reserved = added.Select(t => t.Content).ToHashSet(StringComparer.Ordinal);
        var vocabulary = Tokens(model.GetProperty("vocab"), reserved);
        return new TokenizerFile
        {
            AddedTokens = added,
            Normalizer = TextNormalizer.Parse(root.Member("normalizer")),
            PreTokenizer = PreTokenizer.Parse(root.Member("pre_tokenizer")),
            Vocabulary = vocabulary,
            Merges = Pairs(model.GetProperty("merges"), vocabulary, reserved),
            IgnoreMerges = model.Flag("ignore_merges"),
        };
    }

    private static Dictionary<string, int> Tokens(JsonElement vocabulary, HashSet<string> reserved)
    {
        var tokens = new Dictionary<string, int>(vocabulary.GetPropertyCount(), StringComparer.Ordinal);
        foreach (var entry in vocabulary.EnumerateObject())
        {
            if (!reserved.Contains(entry.Name))
            {
                tokens[entry.Name] = entry.Value.GetInt32();
            }
        }

        return tokens;
    }

    private static List<Merge> Pairs(JsonElement merges, Dictionary<string, int> vocabulary, HashSet<string> reserved)
    {
        var pairs = new List<Merge>(merges.GetArrayLength());
        var ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> buffer = stackalloc char[256];
        foreach (var merge in merges.EnumerateArray())
        {
            var pair = merge.ValueKind == JsonValueKind.Array ? $"{merge[0].GetString()} {merge[1].GetString()}" : merge.GetString()!;
            var space = pair.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0)
            {
                throw new UnsupportedTokenizerException($"A merge of tokenizer.json is '{pair}'; two tokens were expected.");
            }

            var left = pair.AsSpan(0, space);
            var right = pair.AsSpan(space + 1);
            var merged = pair.Length <= buffer.Length ? buffer[..(pair.Length - 1)] : new char[pair.Length - 1];
            left.CopyTo(merged);
            right.CopyTo(merged[space..]);
            if (ids.TryGetValue(left, out var leftId) && ids.TryGetValue(right, out var rightId) && ids.TryGetValue(merged, out var mergedId))
            {
                pairs.Add(new Merge(pair, leftId, rightId, mergedId));
            }
            else if (!reserved.Overlaps([left.ToString(), right.ToString(), merged.ToString()]))
            {
                throw new UnsupportedTokenizerException($"The merge '{pair}' of tokenizer.json names or makes a token that its vocabulary does not have.");
            }
        }

        return pairs;
    }

    [JsonSerializable(typeof(List<AddedToken>))]
    private sealed partial class Json : JsonSerializerContext;
}

/// <summary>Two tokens that become one where they meet.</summary>
/// <param name="Text">Both, with a space between, in the byte-level alphabet.</param>
/// <param name="Left">The id of the first.</param>
/// <param name="Right">The id of the second.</param>
/// <param name="Merged">The id of what they become.</param>
internal readonly record struct Merge(string Text, int Left, int Right, int Merged);
