using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Merges long pieces (a run of Chinese without punctuation is one piece) in n log n. The library's merger takes symbols out of its list one by one, which
/// is quadratic: one request's text could hold a core for minutes.
/// </summary>
internal sealed class LongPieceMerger
{
    private readonly int?[] _byteTokens = new int?[256];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Merged)> _merges;

    public LongPieceMerger(TokenizerFile file)
    {
        for (var value = 0; value < _byteTokens.Length; value++)
        {
            _byteTokens[value] = file.Vocabulary.TryGetValue(ByteAlphabet.Encode((byte)value), out var id) ? id : null;
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
        var bytes = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, bytes);
        int[] symbols = [.. bytes.Select(b => _byteTokens[b]).OfType<int>()];

        // A list of neighbours in two arrays; a symbol that was merged into the one before it is -1.
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

            (symbols[left], symbols[right]) = (candidate.Merged, -1);
            next[left] = next[right];
            if (next[left] < symbols.Length)
            {
                previous[next[left]] = left;
            }

            Propose(left);
            Propose(previous[left]);
        }

        ids.AddRange(symbols.Where(symbol => symbol >= 0));

        void Propose(int left)
        {
            if (left >= 0 && next[left] < symbols.Length && _merges.TryGetValue((symbols[left], symbols[next[left]]), out var merge))
            {
                candidates.Enqueue((symbols[left], symbols[next[left]], merge.Merged), (merge.Rank, left));
            }
        }
    }
}
