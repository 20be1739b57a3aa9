using System.Buffers.Binary;
using System.Text;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Writes a small character map as SentencePiece lays them out, whose units a test may spoil.</summary>
internal sealed class MadeCharacterMap
{
    private const int Block = 256;

    private readonly Dictionary<int, uint> _units = [];
    private readonly HashSet<int> _nodes = [];
    private readonly List<byte> _replacements = [0];

    /// <param name="map">What becomes of what.</param>
    public MadeCharacterMap(params (string Key, string Replacement)[] map)
    {
        SortedDictionary<string, int> values = new(StringComparer.Ordinal);
        foreach (var (key, replacement) in map)
        {
            values[string.Concat(Encoding.UTF8.GetBytes(key).Select(one => (char)one))] = replacement.Length == 0 ? 0 : _replacements.Count;
            if (replacement.Length > 0) _replacements.AddRange([.. Encoding.UTF8.GetBytes(replacement), 0]);
        }

        Add(0, 0, values.Select(one => (one.Key, one.Value)).ToList());
    }

    /// <summary>The unit of a key's last byte.</summary>
    public int Find(string key)
    {
        var unit = 0;
        foreach (var label in Encoding.UTF8.GetBytes(key)) unit = Children(unit) ^ label;
        return unit;
    }

    /// <summary>Where a unit's value is, and its children from.</summary>
    public int Children(int unit) => unit ^ (int)(_units[unit] >> 10);

    public uint this[int unit]
    {
        get => _units[unit];
        set => _units[unit] = value;
    }

    public byte[] ToBytes()
    {
        var count = (_units.Keys.Max() / Block * Block) + Block;
        var bytes = new byte[sizeof(uint) * (1 + count) + _replacements.Count];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)(sizeof(uint) * count));
        // What no key uses has a label that leads nowhere.
        for (var i = 0; i < count; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(sizeof(uint) * (1 + i)), _units.GetValueOrDefault(i, 0x80000000));
        _replacements.CopyTo(bytes, sizeof(uint) * (1 + count));
        return bytes;
    }

    public override string ToString() => Convert.ToBase64String(ToBytes());

    /// <summary>Puts the children of a unit where nothing is yet.</summary>
    private void Add(int unit, int depth, List<(string Key, int Value)> keys)
    {
        var value = keys.Where(one => one.Key.Length == depth).Select(one => (int?)one.Value).FirstOrDefault();
        var children = keys.Where(one => one.Key.Length > depth).GroupBy(one => one.Key[depth]).ToList();
        _units.TryAdd(unit, 0);
        var node = 1;
        while (!_nodes.Add(node) || _units.ContainsKey(node) || children.Exists(child => _units.ContainsKey(node ^ child.Key)))
        {
            node++;
        }

        _units[unit] |= ((uint)(unit ^ node) << 10) | (value is null ? 0u : 1u << 8);
        if (value is { } start) _units[node] = (1u << 31) | (uint)start;
        foreach (var child in children) _units[node ^ child.Key] = child.Key;
        foreach (var child in children) Add(node ^ child.Key, depth + 1, [.. child]);
    }
}
