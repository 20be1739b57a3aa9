using System.Buffers;
using System.Collections.Frozen;
using System.Text;
using System.Text.Unicode;

namespace R1Serverless.Models.Tokenization;

/// <summary>Byte-level BPE as a Hugging Face tokenizer.json describes it (GPT-2, Llama 3, Qwen2, DeepSeek), with the same ids as their tokenizers.</summary>
public sealed class HuggingFaceTokenizer : ITokenizer
{
    private readonly TextNormalizer _normalizer;
    private readonly PieceMerger _merger;
    private readonly PreTokenizer _preTokenizer;
    private readonly AddedTokenFinder _rawAdded;
    private readonly AddedTokenFinder _normalizedAdded;
    private readonly FrozenDictionary<string, int> _addedIds;
    private readonly byte[] _bytes;
    private readonly int[] _ends;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholePieces;

    private HuggingFaceTokenizer(TokenizerFile file)
    {
        _normalizer = file.Normalizer;
        _preTokenizer = file.PreTokenizer;
        _merger = new PieceMerger(file);
        _rawAdded = new AddedTokenFinder(file.AddedTokens.Where(t => !t.Normalized));
        _normalizedAdded = new AddedTokenFinder(file.AddedTokens.Where(t => t.Normalized).Select(t => t with { Content = file.Normalizer.Normalize(t.Content) }));
        _addedIds = file.AddedTokens.ToFrozenDictionary(t => t.Content, t => t.Id);
        (_bytes, _ends) = TokenBytes(file);
        _wholePieces = file.IgnoreMerges ? WholePieces(file).GetAlternateLookup<ReadOnlySpan<char>>() : null;
    }

    public int VocabularySize => _ends.Length;

    /// <exception cref="UnsupportedTokenizerException">The file is malformed, or of a kind that cannot be loaded exactly.</exception>
    public static HuggingFaceTokenizer Load(string tokenizerJsonPath) => new(TokenizerFile.Read(tokenizerJsonPath));

    public IReadOnlyList<int> Encode(string text, bool recogniseAdded)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0)
        {
            // A surrogate alone has no UTF-8; the round trip makes it U+FFFD, as every JSON writer does.
            text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        }

        var ids = new List<int>((text.Length / 3) + 4);
        if (!recogniseAdded)
        {
            AppendPlain(_normalizer.Normalize(text), ids);
            return ids;
        }

        foreach (var (stretch, id) in _rawAdded.Split(text).SelectMany(s => s.Id is null ? _normalizedAdded.Split(_normalizer.Normalize(s.Text)) : [s]))
        {
            if (id is { } added)
            {
                ids.Add(added);
            }
            else
            {
                AppendPlain(stretch, ids);
            }
        }

        return ids;
    }

    public int? AddedToken(string text) => _addedIds.TryGetValue(text, out var id) ? id : null;

    public ReadOnlySpan<byte> Bytes(int id)
    {
        if ((uint)id >= (uint)_ends.Length)
        {
            return [];
        }

        var start = id == 0 ? 0 : _ends[id - 1];
        return _bytes.AsSpan(start, _ends[id] - start);
    }

    private void AppendPlain(string text, List<int> ids)
    {
        if (text.Length == 0)
        {
            return;
        }

        if (_preTokenizer.PrefixSpace && text[0] != ' ')
        {
            text = " " + text;
        }

        foreach (var (start, length) in _preTokenizer.Split(text))
        {
            var piece = text.AsSpan(start, length);
            if (_wholePieces is { } known && known.TryGetValue(piece, out var id))
            {
                ids.Add(id);
            }
            else
            {
                _merger.Append(piece, ids);
            }
        }
    }

    /// <summary>The tokens that are whole texts: with <c>ignore_merges</c>, a piece that is one of them needs no merging.</summary>
    private Dictionary<string, int> WholePieces(TokenizerFile file)
    {
        var texts = new Dictionary<string, int>(file.Vocabulary.Count, StringComparer.Ordinal);
        foreach (var id in file.Vocabulary.Values)
        {
            if (Utf8.IsValid(Bytes(id)))
            {
                texts[Encoding.UTF8.GetString(Bytes(id))] = id;
            }
        }

        return texts;
    }

    /// <summary>The bytes of all tokens one after the other, and where each token's end.</summary>
    private static (byte[] Bytes, int[] Ends) TokenBytes(TokenizerFile file)
    {
        var size = 1 + Math.Max(file.Vocabulary.Values.DefaultIfEmpty(-1).Max(), file.AddedTokens.Select(t => t.Id).DefaultIfEmpty(-1).Max());
        var texts = new string?[size];
        foreach (var (token, id) in file.Vocabulary)
        {
            texts[id] = token;
        }

        var added = file.AddedTokens.ToDictionary(t => t.Id);
        var bytes = new ArrayBufferWriter<byte>(size * 8);
        var ends = new int[size];
        for (var id = 0; id < size; id++)
        {
            if (added.TryGetValue(id, out var token))
            {
                Encoding.UTF8.GetBytes(token.Special ? string.Empty : token.Content, bytes);
            }
            else if (texts[id] is { } text)
            {
                ByteAlphabet.Decode(text, bytes);
            }

            ends[id] = bytes.WrittenCount;
        }

        return (bytes.WrittenSpan.ToArray(), ends);
    }
}
