using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace R1Serverless.Scheduling.Prefixes;

/// <summary>
/// Whose keys and values are kept outside the slots: the beginnings of prompts, in blocks of <see cref="BlockTokens"/> tokens. Each block is a node
/// below the block before it, so that prompts that begin alike share nodes. Prompts of different salts share none. The least recently used block
/// that no other follows goes first; those that are held do not go. Pure policy: it knows the numbers of blocks, not what is in them.
/// </summary>
public sealed class PrefixTree
{
    /// <summary>Tokens of a block.</summary>
    public const int BlockTokens = 64;

    /// <summary>Tokens at the end of a prompt that are always run: the last one's logits are needed, and a run of one token uses another kernel,
    /// whose bits differ.</summary>
    private const int OwnTokens = 2;

    private readonly Dictionary<string, Node> _roots = new(StringComparer.Ordinal);

    /// <summary>The most recently used first. A node is never used without those before it, so that the last has none behind it.</summary>
    private readonly LinkedList<Node> _used = new();
    private readonly SortedSet<int> _free = [];
    private readonly Queue<Node> _new = new();
    private int _numbers;

    /// <summary>Blocks that are kept.</summary>
    public int Count => _used.Count;

    /// <summary>Of those, blocks that somebody holds.</summary>
    public int Held { get; private set; }

    /// <summary>Told each block that leaves, a path's last first, while it is still what it was. Null where nothing is saved.</summary>
    public Action<KeyedBlock>? Leaving { get; set; }

    /// <summary>Changes whenever blocks come or go.</summary>
    public int Version { get; private set; }

    /// <summary>The tokens of a prompt that may be taken from blocks.</summary>
    public static int Shareable(int promptLength) => Math.Max(0, promptLength - OwnTokens) / BlockTokens * BlockTokens;

    /// <summary>Tokens that two prompts begin with alike, in whole blocks.</summary>
    public static int Common(ReadOnlySpan<int> a, ReadOnlySpan<int> b) => a.CommonPrefixLength(b) / BlockTokens * BlockTokens;

    /// <summary>The tokens of a prompt whose keys and values are kept: a multiple of <see cref="BlockTokens"/>, and less than the prompt.</summary>
    public int Match(string salt, ReadOnlySpan<int> prompt)
    {
        var most = Shareable(prompt.Length);
        var node = _roots.GetValueOrDefault(salt);
        var length = 0;
        while (length < most && node is not null && node.TryFind(prompt.Slice(length, BlockTokens), out node)) length += BlockTokens;
        return length;
    }

    /// <summary>The same, of a prompt that has been run: all of it may be kept.</summary>
    public int Kept(string salt, ReadOnlySpan<int> prompt) => Path(salt, prompt, prompt.Length / BlockTokens * BlockTokens).Count * BlockTokens;

    /// <summary>The blocks of a prompt's first tokens, in order, which are used now.</summary>
    /// <param name="length">No more than are kept.</param>
    public IReadOnlyList<int> Use(string salt, ReadOnlySpan<int> prompt, int length)
    {
        var path = Path(salt, prompt, length);
        Touch(path);
        return [.. path.Select(node => node.Block)];
    }

    /// <summary>The blocks of a prompt's first tokens stay until they are released.</summary>
    /// <param name="length">No more than are kept.</param>
    public HeldPrefix Hold(string salt, ReadOnlySpan<int> prompt, int length)
    {
        var path = Path(salt, prompt, length);
        Hold(path);
        return new HeldPrefix(this, path);
    }

    /// <summary>Keeps a prompt's first tokens; the blocks that were not kept before are to be filled by the caller.</summary>
    /// <param name="length">Tokens that are in the prompt's slot; whole blocks of them are kept.</param>
    /// <param name="capacity">Blocks that may be kept in all. Others leave for new ones; where only this prompt's own are left, and those that are
    /// held, its end is not kept.</param>
    /// <param name="dropped">Blocks that have left and are not used again.</param>
    public IReadOnlyList<PrefixBlock> Publish(string salt, ReadOnlySpan<int> prompt, int length, int capacity, out IReadOnlyList<int> dropped)
    {
        dropped = [];
        length = Math.Min(length, prompt.Length) / BlockTokens * BlockTokens;
        var path = Path(salt, prompt, length);
        if (path.Count * BlockTokens == length) return [];
        Touch(path);
        Hold(path);
        List<PrefixBlock> blocks = [];
        List<int> left = [];
        for (var start = path.Count * BlockTokens; start < length; start += BlockTokens)
        {
            if (Held >= capacity) break;
            left.AddRange(Trim(capacity - 1));
            var parent = path.Count > 0 ? path[^1] : Root(salt);
            Node node = new(parent, prompt.Slice(start, BlockTokens).ToArray(), Number(parent));
            parent.Add(node);
            path.Add(node);
            if (Leaving is not null) AddNew(node);
            Hold([node]);
            blocks.Add(new PrefixBlock(start, node.Block));
            Version++;
            // The end of a path is used the longest ago.
            if (path.Count > 1) _used.AddAfter(path[^2].Use, node.Use);
            else _used.AddFirst(node.Use);
        }

        Release(path);
        dropped = [.. left.Where(_free.Contains)];
        return blocks;
    }

    /// <summary>The oldest block that was not saved yet; the caller saves it.</summary>
    public KeyedBlock? TakeNew()
    {
        while (_new.TryDequeue(out var node))
        {
            if (!node.HasLeft) return node.Keyed;
        }

        return null;
    }

    /// <summary>Drops the end of a prompt, which was to be kept but could not be computed: blocks that nobody has used.</summary>
    /// <param name="from">Tokens of the prompt that stay.</param>
    /// <returns>The dropped blocks.</returns>
    public IReadOnlyList<int> Withdraw(string salt, ReadOnlySpan<int> prompt, int from)
    {
        var path = Path(salt, prompt, prompt.Length / BlockTokens * BlockTokens);
        List<int> dropped = [];
        for (var i = path.Count - 1; i >= from / BlockTokens && path[i] is { IsEmpty: true, Holders: 0 }; i--)
        {
            dropped.Add(path[i].Block);
            Drop(path[i], isComputed: false);
        }

        return dropped;
    }

    /// <summary>Drops blocks until no more than <paramref name="most"/> are left, or only those that are held.</summary>
    /// <returns>The dropped ones.</returns>
    public IReadOnlyList<int> Trim(int most)
    {
        List<int> dropped = [];
        // What follows a block is used no later than it: one pass finds all that may go.
        for (var at = _used.Last; at is not null && Count > Math.Max(0, most);)
        {
            var (node, next) = (at.Value, at.Previous);
            if (node.Holders == 0)
            {
                dropped.Add(node.Block);
                Drop(node);
            }

            at = next;
        }

        return dropped;
    }

    internal void Release(IReadOnlyList<Node> path)
    {
        foreach (var node in path)
        {
            if (--node.Holders == 0) Held--;
        }
    }

    private void Hold(IReadOnlyList<Node> path)
    {
        foreach (var node in path)
        {
            if (node.Holders++ == 0) Held++;
        }
    }

    private List<Node> Path(string salt, ReadOnlySpan<int> prompt, int length)
    {
        List<Node> path = [];
        var node = _roots.GetValueOrDefault(salt);
        while (path.Count * BlockTokens < length && node is not null
            && node.TryFind(prompt.Slice(path.Count * BlockTokens, BlockTokens), out node)) path.Add(node);
        return path;
    }

    private void Touch(List<Node> path)
    {
        for (var i = path.Count - 1; i >= 0; i--)
        {
            _used.Remove(path[i].Use);
            _used.AddFirst(path[i].Use);
        }
    }

    /// <summary>For a new block, the number behind its parent's where that is free: what lies in a row is attached at once.</summary>
    private int Number(Node parent)
    {
        if (_free.Count == 0) return _numbers++;
        var number = _free.Contains(parent.Block + 1) ? parent.Block + 1 : _free.Min;
        _free.Remove(number);
        return number;
    }

    private Node Root(string salt)
    {
        if (!_roots.TryGetValue(salt, out var root)) _roots.Add(salt, root = new Node(null, [], -1) { Salt = salt });
        return root;
    }

    /// <summary>Those that have left may be many more than those that are kept.</summary>
    private void AddNew(Node node)
    {
        if (_new.Count > 2 * Count)
        {
            Node[] there = [.. _new.Where(one => !one.HasLeft)];
            _new.Clear();
            foreach (var one in there) _new.Enqueue(one);
        }

        _new.Enqueue(node);
    }

    private void Drop(Node leaf, bool isComputed = true)
    {
        if (isComputed) Leaving?.Invoke(leaf.Keyed);
        leaf.HasLeft = true;
        _used.Remove(leaf.Use);
        _free.Add(leaf.Block);
        Version++;
        var parent = leaf.Parent!;
        parent.Remove(leaf);
        if (parent.Salt is { } salt && parent.IsEmpty) _roots.Remove(salt);
    }

    internal sealed class Node
    {
        private Dictionary<int[], Node>? _next;
        private PrefixKey? _key;

        public Node(Node? parent, int[] tokens, int block)
        {
            (Parent, Tokens, Block) = (parent, tokens, block);
            Use = new LinkedListNode<Node>(this);
        }

        public Node? Parent { get; }

        public int[] Tokens { get; }

        public int Block { get; }

        public PrefixKey Key => _key ??= Parent is { } parent ? parent.Key.Next(Tokens) : PrefixKey.Root(Salt!);

        public KeyedBlock Keyed => new(Parent is { Salt: null } before ? before.Key : null, Key, Block);

        public bool HasLeft { get; set; }

        /// <summary>How many hold it.</summary>
        public int Holders { get; set; }

        /// <summary>Of a root.</summary>
        public string? Salt { get; init; }

        public LinkedListNode<Node> Use { get; }

        public bool IsEmpty => _next is null or { Count: 0 };

        public bool TryFind(ReadOnlySpan<int> tokens, [NotNullWhen(true)] out Node? next)
        {
            next = null;
            return _next is not null && _next.GetAlternateLookup<ReadOnlySpan<int>>().TryGetValue(tokens, out next);
        }

        public void Add(Node node) => (_next ??= new Dictionary<int[], Node>(TokenComparer.Instance)).Add(node.Tokens, node);

        public void Remove(Node node) => _next!.Remove(node.Tokens);
    }

    private sealed class TokenComparer : IEqualityComparer<int[]>, IAlternateEqualityComparer<ReadOnlySpan<int>, int[]>
    {
        public static readonly TokenComparer Instance = new();

        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<int> alternate, int[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(int[] obj) => GetHashCode(obj.AsSpan());

        public int GetHashCode(ReadOnlySpan<int> alternate)
        {
            HashCode hash = default;
            hash.AddBytes(MemoryMarshal.AsBytes(alternate));
            return hash.ToHashCode();
        }

        public int[] Create(ReadOnlySpan<int> alternate) => alternate.ToArray();
    }
}
