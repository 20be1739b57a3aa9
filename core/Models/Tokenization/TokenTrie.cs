namespace R1Serverless.Models.Tokenization;

/// <summary>Finds the tokens that a text begins with, unit by unit of UTF-16. A large vocabulary has about a million nodes, of ten bytes
/// each.</summary>
internal sealed class TokenTrie
{
    /// <summary>Where every search begins.</summary>
    public const int Root = 0;

    /// <summary>No node, or no token.</summary>
    public const int None = -1;

    /// <summary>By node, in the order of their depth: the children of one stand beside each other, those of the next node behind them.</summary>
    private readonly char[] _labels;

    private readonly int[] _ids;

    /// <summary>By node, and one more for the end of the last one's children.</summary>
    private readonly int[] _firstChildren;

    /// <param name="tokens">With their ids.</param>
    public TokenTrie(IReadOnlyDictionary<string, int> tokens)
    {
        string[] sorted = [.. tokens.Keys];
        int[] sortedIds = [.. tokens.Values];
        Array.Sort(sorted, sortedIds, StringComparer.Ordinal);
        List<char> labels = ['\0'];
        List<int> ids = [], firstChildren = [];
        Queue<(int Start, int End, int Depth)> ranges = new([(0, sorted.Length, 0)]);
        while (ranges.TryDequeue(out var range))
        {
            var (start, end, depth) = range;
            // Of those that begin alike the shortest comes first.
            var isToken = start < end && sorted[start].Length == depth;
            ids.Add(isToken ? sortedIds[start++] : None);
            firstChildren.Add(labels.Count);
            while (start < end)
            {
                var (first, label) = (start, sorted[start][depth]);
                while (start < end && sorted[start][depth] == label) start++;
                labels.Add(label);
                ranges.Enqueue((first, start, depth + 1));
            }
        }

        firstChildren.Add(labels.Count);
        (_labels, _ids, _firstChildren) = ([.. labels], [.. ids], [.. firstChildren]);
    }

    /// <summary>The node that a unit leads to, or <see cref="None"/>.</summary>
    public int Child(int node, char label)
    {
        var first = _firstChildren[node];
        var found = _labels.AsSpan(first, _firstChildren[node + 1] - first).BinarySearch(label);
        return found < 0 ? None : first + found;
    }

    /// <summary>The token that ends at a node, or <see cref="None"/>.</summary>
    public int Id(int node) => _ids[node];
}
