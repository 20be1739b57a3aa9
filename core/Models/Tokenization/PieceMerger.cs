using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Byte-pair merging: the strongest pair of neighbours becomes one token, the leftmost of equals first, until none is left (Sennrich et al. 2016, arXiv:1508.07909). Words look through their
/// pairs; long pieces (a run of Chinese without punctuation is one) queue them, in n log n, or one request's text could hold a core for minutes.
/// </summary>
internal sealed class PieceMerger
{
    /// <summary>Bytes up to which all pairs are looked through for each merge, which is quadratic.</summary>
    private const int Word = 64;

    private const int NoToken = -1;

    private readonly int[] _byteTokens = new int[256];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Merged)> _merges;

    public PieceMerger(TokenizerFile file)
    {
        for (var value = 0; value < _byteTokens.Length; value++)
        {
            _byteTokens[value] = file.Vocabulary.TryGetValue(ByteAlphabet.Encode((byte)value), out var id) ? id : NoToken;
        }

        _merges = new Dictionary<(int, int), (int, int)>(file.Merges.Count);
        foreach (var merge in file.Merges)
        {
            _merges.TryAdd((merge.Left, merge.Right), (_merges.Count, merge.Merged));
        }
    }

    /// <summary>Appends the piece's ids.</summary>
    /// <param name="piece">Well-formed UTF-16, as one piece of the pre-tokenizer.</param>
    /// <param name="ids">Where they are appended.</param>
    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        var length = Encoding.UTF8.GetByteCount(piece);
        var bytes = length <= Word ? stackalloc byte[length] : new byte[length];
        Encoding.UTF8.GetBytes(piece, bytes);
        var symbols = length <= Word ? stackalloc int[length] : new int[length];
        var count = 0;
        foreach (var value in bytes)
        {
            // A vocabulary may lack bytes: they are left out.
            if (_byteTokens[value] != NoToken) symbols[count++] = _byteTokens[value];
        }

        if (length <= Word) MergeWord(symbols[..count], ids);
        else MergeLong(symbols[..count].ToArray(), ids);
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

    private void MergeLong(int[] symbols, List<int> ids)
    {
        // A list of neighbours in two arrays; a symbol that was merged into the one before it is no token.
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
            {
                continue;
            }

            (symbols[left], symbols[right]) = (candidate.Merged, NoToken);
            next[left] = next[right];
            if (next[left] < symbols.Length)
            {
                previous[next[left]] = left;
            }

            Propose(left);
            Propose(previous[left]);
        }

        ids.AddRange(symbols.Where(symbol => symbol != NoToken));

        void Propose(int left)
        {
            if (left >= 0 && next[left] < symbols.Length && _merges.TryGetValue((symbols[left], symbols[next[left]]), out var merge))
            {
                candidates.Enqueue((symbols[left], symbols[next[left]], merge.Merged), (merge.Rank, left));
            }
        }
    }
}
