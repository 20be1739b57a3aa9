namespace R1Serverless.Constraints.Tokens;

/// <summary>Some tokens as a trie in depth-first order: a node's children follow it, up to its end.</summary>
internal sealed class TrieBranch
{
    private const int LargeSubtree = 1_000;

    private readonly Dictionary<int, uint[]> _subtrees = [];

    public TrieBranch(IEnumerable<(byte[] Bytes, int Token)> tokens)
    {
        var sorted = tokens.OrderBy(one => one.Bytes, Comparer<byte[]>.Create((x, y) => x.AsSpan().SequenceCompareTo(y))).ToList();
        var nodes = new List<(byte Value, byte Depth, int Token)>();
        var same = new List<(int, int)>();
        byte[] last = [];
        foreach (var (bytes, token) in sorted)
        {
            var shared = bytes.AsSpan().CommonPrefixLength(last);
            for (var depth = shared; depth < bytes.Length; depth++)
                nodes.Add((bytes[depth], (byte)Math.Min(depth, 255), -1));
            if (shared == bytes.Length)
                same.Add((nodes.Count - 1, token));
            else
                nodes[^1] = nodes[^1] with { Token = token };
            last = bytes;
        }
        Values = [.. nodes.Select(node => node.Value)];
        Tokens = [.. nodes.Select(node => node.Token)];
        Depths = new int[nodes.Count];
        Ends = new int[nodes.Count];
        Same = same.ToLookup(one => one.Item1, one => one.Item2);
        Array.Fill(Ends, nodes.Count);
        Fill(sorted);
        Below = new int[nodes.Count];
        for (var node = nodes.Count - 1; node >= 0; node--)
        {
            for (var child = node + 1; child < Ends[node]; child = Ends[child])
                Below[node] = Math.Max(Below[node], Below[child] + 1);
        }
    }

    public byte[] Values { get; }

    /// <summary>The token that ends at a node; -1 for none.</summary>
    public int[] Tokens { get; }

    /// <summary>How many bytes stand before a node's.</summary>
    public int[] Depths { get; }

    /// <summary>The first node that is not below a node.</summary>
    public int[] Ends { get; }

    /// <summary>The most bytes that stand below a node.</summary>
    public int[] Below { get; }

    /// <summary>Further tokens of the same bytes.</summary>
    public ILookup<int, int> Same { get; }

    public int MaxDepth { get; private set; }

    /// <summary>All tokens at and below a node, as a mask; null where there are so few that they are better added one by one.</summary>
    public uint[]? Subtree(int node, int words)
    {
        if (Ends[node] - node < LargeSubtree)
            return null;
        lock (_subtrees)
        {
            if (_subtrees.TryGetValue(node, out var known))
                return known;
            var mask = new uint[words];
            for (var one = node; one < Ends[node]; one++)
                Add(one, mask);
            return _subtrees[node] = mask;
        }
    }

    /// <summary>Adds a node's tokens to a mask.</summary>
    public void Add(int node, uint[] mask)
    {
        var token = Tokens[node];
        if (token < 0)
            return;
        mask[token >> 5] |= 1u << token;
        if (Same.Count == 0)
            return;
        foreach (var other in Same[node])
            mask[other >> 5] |= 1u << other;
    }

    private void Fill(List<(byte[] Bytes, int Token)> sorted)
    {
        var open = new Stack<int>();
        var node = 0;
        byte[] last = [];
        foreach (var (bytes, _) in sorted)
        {
            var shared = bytes.AsSpan().CommonPrefixLength(last);
            while (open.Count > shared)
                Ends[open.Pop()] = node;
            for (var depth = shared; depth < bytes.Length; depth++)
            {
                Depths[node] = depth;
                open.Push(node++);
            }
            MaxDepth = Math.Max(MaxDepth, bytes.Length);
            last = bytes;
        }
    }
}
