using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Byte-pair merging: the strongest pair of neighbours becomes one token, the leftmost of equals first, until none is left (Sennrich et al. 2016,
/// arXiv:1508.07909). Words look through their pairs; long pieces (a run of Chinese without punctuation is one) queue them, in n log n, or one
/// request's text could hold a core for minutes.
/// </summary>
/// <remarks>
/// Microsoft.ML.Tokenizers 2.0.1 has mergers too, which were measured on 2 cores against this one. BpeTokenizer (bytes) gives the same ids at the
/// same speed, but a piece of 100,000 characters takes it 40.5 s (here 0.4 s), and a start with Qwen3's 151,643 tokens has to make it from strings:
/// 123 ms instead of 7 after the file is read, and 86 MB of memory instead of 28 in all. SentencePieceTokenizer takes the rightmost of equal pairs
/// where SentencePiece takes the leftmost ("baaa" is b, a, aa): 104 of 6,230 texts get other ids than Llama 2's own tokenizer gives.
/// </remarks>
internal sealed class PieceMerger : IPieceModel
{
    /// <summary>Bytes up to which all pairs are looked through for each merge, which is quadratic.</summary>
    private const int Word = 64;

    private const int NoToken = -1;

    private readonly int[] _byteTokens = new int[256];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Merged)> _merges;

    /// <summary>The tokens of single characters, where tokens are made of characters; null where they are made of bytes.</summary>
    private readonly Dictionary<int, int>? _characterTokens;

    /// <summary>The tokens that are whole texts: with <c>ignore_merges</c>, a piece that is one of them needs no merging.</summary>
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholePieces;

    public PieceMerger(TokenizerFile file)
    {
        var isByteLevel = file.Spelling == TokenSpelling.ByteLevel;
        for (var value = 0; value < _byteTokens.Length; value++)
        {
            var spelling = isByteLevel ? ByteAlphabet.Encode([(byte)value]) : TokenBytes.ByteToken(value);
            _byteTokens[value] = file.Vocabulary.TryGetValue(spelling, out var id) ? id : NoToken;
        }

        _merges = new Dictionary<(int, int), (int, int)>(file.Merges.Count);
        foreach (var merge in file.Merges)
            _merges.TryAdd((merge.Left, merge.Right), (merge.Rank, merge.Merged));

        if (!isByteLevel) _characterTokens = CharacterTokens(file);
        if (file.IgnoreMerges) _wholePieces = WholePieces(file, isByteLevel).GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (_wholePieces is { } known && known.TryGetValue(piece, out var id))
        {
            ids.Add(id);
            return;
        }

        var length = Encoding.UTF8.GetByteCount(piece);
        var symbols = length <= Word ? stackalloc int[length] : new int[length];
        symbols = symbols[..(_characterTokens is null ? Bytes(piece, symbols) : Characters(piece, symbols, []))];
        if (symbols.Length <= Word)
        {
            MergeWord(symbols, ids);
            return;
        }

        var merged = symbols.ToArray();
        MergeLong(merged);
        ids.AddRange(merged.Where(symbol => symbol != NoToken));
    }

    public List<(int Id, int End)> Place(ReadOnlySpan<char> piece)
    {
        if (_wholePieces is { } known && known.TryGetValue(piece, out var id)) return [(id, piece.Length)];
        var length = Encoding.UTF8.GetByteCount(piece);
        int[] symbols = new int[length], ends = new int[length];
        symbols = symbols[..Characters(piece, symbols, ends)];
        var next = MergeLong(symbols);
        return [.. Enumerable.Range(0, symbols.Length).Where(i => symbols[i] != NoToken).Select(i => (symbols[i], ends[next[i] - 1]))];
    }

    private static Dictionary<int, int> CharacterTokens(TokenizerFile file)
    {
        Dictionary<int, int> tokens = [];
        foreach (var (text, id) in file.Vocabulary)
        {
            if (Rune.DecodeFromUtf16(text, out var character, out var length) == OperationStatus.Done && length == text.Length)
                tokens[character.Value] = id;
        }

        return tokens;
    }

    private static Dictionary<string, int> WholePieces(TokenizerFile file, bool isByteLevel)
    {
        var texts = new Dictionary<string, int>(file.Vocabulary.Count, StringComparer.Ordinal);
        ArrayBufferWriter<byte> bytes = new();
        foreach (var (token, id) in file.Vocabulary)
        {
            bytes.ResetWrittenCount();
            if (isByteLevel) ByteAlphabet.Decode(token, bytes);
            if (Utf8.IsValid(bytes.WrittenSpan)) texts[isByteLevel ? Encoding.UTF8.GetString(bytes.WrittenSpan) : token] = id;
        }

        return texts;
    }

    /// <summary>The tokens of the piece's bytes; those that the vocabulary lacks are left out.</summary>
    private int Bytes(ReadOnlySpan<char> piece, Span<int> symbols)
    {
        // As many as there will be symbols, if none is left out.
        var bytes = symbols.Length <= Word ? stackalloc byte[symbols.Length] : new byte[symbols.Length];
        Encoding.UTF8.GetBytes(piece, bytes);
        var count = 0;
        foreach (var value in bytes)
        {
            if (_byteTokens[value] != NoToken) symbols[count++] = _byteTokens[value];
        }

        return count;
    }

    /// <summary>The tokens of the piece's characters, or of their bytes where a character is none.</summary>
    /// <param name="piece">Well-formed UTF-16.</param>
    /// <param name="symbols">As many as the piece has bytes.</param>
    /// <param name="ends">For each symbol how many UTF-16 units are complete with it; empty where nobody asks.</param>
    private int Characters(ReadOnlySpan<char> piece, Span<int> symbols, Span<int> ends)
    {
        var (count, position) = (0, 0);
        Span<byte> bytes = stackalloc byte[4];
        foreach (var character in piece.EnumerateRunes())
        {
            var end = position + character.Utf16SequenceLength;
            if (_characterTokens?.TryGetValue(character.Value, out var token) == true)
            {
                Add(token, end, symbols, ends);
            }
            else
            {
                var length = character.EncodeToUtf8(bytes);
                for (var i = 0; i < length; i++)
                {
                    if (_byteTokens[bytes[i]] != NoToken) Add(_byteTokens[bytes[i]], i + 1 < length ? position : end, symbols, ends);
                }
            }

            position = end;
        }

        return count;

        void Add(int symbol, int end, Span<int> symbols, Span<int> ends)
        {
            if (!ends.IsEmpty) ends[count] = end;
            symbols[count++] = symbol;
        }
    }

    private void MergeWord(Span<int> symbols, List<int> ids)
    {
        // Of each symbol and the next; what does not merge is weaker than all that does.
        Span<(int Rank, int Merged)> pairs = stackalloc (int, int)[symbols.Length];
        for (var i = 0; i + 1 < symbols.Length; i++) pairs[i] = Pair(symbols, i);
        while (symbols.Length > 1)
        {
            var best = 0;
            for (var i = 1; i + 1 < symbols.Length; i++)
            {
                if (pairs[i].Rank < pairs[best].Rank) best = i;
            }

            if (pairs[best].Rank == int.MaxValue) break;
            symbols[best] = pairs[best].Merged;
            symbols[(best + 2)..].CopyTo(symbols[(best + 1)..]);
            pairs[(best + 2)..symbols.Length].CopyTo(pairs[(best + 1)..]);
            symbols = symbols[..^1];
            if (best > 0) pairs[best - 1] = Pair(symbols, best - 1);
            if (best + 1 < symbols.Length) pairs[best] = Pair(symbols, best);
        }

        ids.AddRange(symbols);
    }

    private (int Rank, int Merged) Pair(ReadOnlySpan<int> symbols, int left) =>
        _merges.TryGetValue((symbols[left], symbols[left + 1]), out var merge) ? merge : (int.MaxValue, NoToken);

    /// <summary>Merges in place: what was merged into the symbol before it is no token any more. The result is each symbol's next one.</summary>
    private int[] MergeLong(int[] symbols)
    {
        var previous = Enumerable.Range(-1, symbols.Length).ToArray();
        var next = Enumerable.Range(1, symbols.Length).ToArray();
        var candidates = new PriorityQueue<(int Left, int Right, int Merged), (int Rank, int Position)>();
        for (var left = 0; left < symbols.Length; left++)
        {
            Propose(left);
        }

        while (candidates.TryDequeue(out var candidate, out var place))
        {
            var left = place.Position;
            var right = next[left];
            if (right == symbols.Length || symbols[left] != candidate.Left || symbols[right] != candidate.Right)
                continue;

            (symbols[left], symbols[right]) = (candidate.Merged, NoToken);
            next[left] = next[right];
            if (next[left] < symbols.Length)
                previous[next[left]] = left;

            Propose(left);
            Propose(previous[left]);
        }

        return next;

        void Propose(int left)
        {
            if (left >= 0 && next[left] < symbols.Length && _merges.TryGetValue((symbols[left], symbols[next[left]]), out var merge))
                candidates.Enqueue((symbols[left], symbols[next[left]], merge.Merged), (merge.Rank, left));
        }
    }
}
