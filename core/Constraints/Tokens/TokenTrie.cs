using System.Text;

namespace R1Serverless.Constraints.Tokens;

/// <summary>
/// A vocabulary's tokens by their bytes, made once for a tokenizer. Tokens of plain text (whole characters that a JSON string holds as
/// they are) are kept apart: inside a string they are all allowed at once.
/// </summary>
public sealed class TokenTrie
{
    private const int LongestCounted = 128;

    private readonly byte[]?[] _tokens;
    private readonly uint[][] _plainByLength;

    /// <summary>Makes the trie.</summary>
    /// <param name="tokens">Each token's bytes by its id, parts of UTF-8 characters included; null for what is never text (end tokens).</param>
    public TokenTrie(IReadOnlyList<byte[]?> tokens)
    {
        _tokens = [.. tokens];
        Words = (_tokens.Length + 31) / 32;
        var lengths = _tokens.Select(PlainLength).ToArray();
        _plainByLength = new uint[LongestCounted + 1][];
        for (var length = 0; length <= LongestCounted; length++)
        {
            var mask = _plainByLength[length] = length == 0 ? new uint[Words] : [.. _plainByLength[length - 1]];
            for (var token = 0; token < lengths.Length; token++)
            {
                if (lengths[token] == length)
                    mask[token >> 5] |= 1u << token;
            }
        }
        LongestPlain = lengths.Where(length => length <= LongestCounted).Max();
        Plain = new TrieBranch(Sorted(token => lengths[token] is > 0 and <= LongestCounted));
        Other = new TrieBranch(Sorted(token => lengths[token] is < 0 or > LongestCounted));

        IEnumerable<(byte[], int)> Sorted(Func<int, bool> has) =>
            Enumerable.Range(0, _tokens.Length).Where(token => _tokens[token] is { Length: > 0 } && has(token)).Select(token => (_tokens[token]!, token));
    }

    /// <summary>How many tokens the vocabulary has.</summary>
    public int Count => _tokens.Length;

    /// <summary>How many words of 32 bits a mask has.</summary>
    public int Words { get; }

    /// <summary>The bytes of a token; empty for one that is never text.</summary>
    public ReadOnlySpan<byte> Bytes(int token) => _tokens[token];

    internal TrieBranch Plain { get; }

    internal TrieBranch Other { get; }

    /// <summary>The most characters that a plain token has.</summary>
    internal int LongestPlain { get; }

    /// <summary>The plain tokens of at most so many characters.</summary>
    internal uint[] PlainUpTo(int characters) => _plainByLength[Math.Min(characters, LongestCounted)];

    private static int PlainLength(byte[]? bytes)
    {
        if (bytes is null || bytes.Length == 0)
            return -1;
        var count = 0;
        for (ReadOnlySpan<byte> rest = bytes; rest.Length > 0; count++)
        {
            if (Rune.DecodeFromUtf8(rest, out var rune, out var length) != System.Buffers.OperationStatus.Done
                || rune.Value is < 32 or '"' or '\\')
            {
                return -1;
            }
            rest = rest[length..];
        }
        return count;
    }
}

/// <summary>Some tokens as a trie in depth-first order: a node's children follow it, up to its end.</summary>
internal sealed class TrieBranch
{
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
