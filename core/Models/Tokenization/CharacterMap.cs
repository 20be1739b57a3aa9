using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// SentencePiece's character map (<c>precompiled_charsmap</c>): what characters become, such as those that NFKC changes. In it lie the bytes of a
/// trie (32 bits, little-endian), the trie as Darts-clone writes one (a double array of 32-bit units), and the replacements, each ended by a zero.
/// It is applied as Hugging Face's library does (tokenizers/src/normalizers/precompiled.rs), which is not quite SentencePiece's way: what a user sees
/// as one character is looked up whole where it has at most five bytes, and is replaced whole by what its shortest beginning in the map becomes; what
/// is longer, or not found, is looked up by its code points.
/// </summary>
internal sealed class CharacterMap
{
    /// <summary>Bytes of UTF-8.</summary>
    private const int LongestCluster = 5;

    /// <summary>Units of a trie; SentencePiece's own have fewer than 100,000.</summary>
    private const int MaxUnits = 1 << 22;

    /// <summary>Of a unit: the byte that leads to it, with a bit that only values have.</summary>
    private const uint Label = IsValue | 0xFF, IsValue = 1u << 31;

    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <summary>Whether the characters that most English text has, alone, become nothing else.</summary>
    private readonly bool _keepsAscii;

    private CharacterMap(uint[] units, byte[] replacements)
    {
        (_units, _replacements) = (units, replacements);
        Check();
        _keepsAscii = Enumerable.Range(' ', '~' + 1 - ' ').All(character => Find([(byte)character]) < 0);
    }

    /// <param name="base64">As tokenizer.json has it.</param>
    /// <exception cref="UnsupportedTokenizerException">It is malformed.</exception>
    public static CharacterMap Parse(string base64)
    {
        var bytes = new byte[base64.Length * 3L / 4];
        if (!Convert.TryFromBase64String(base64, bytes, out var length)) throw Damaged("is not Base64");
        var map = bytes.AsSpan(0, length);
        if (length < sizeof(uint)) throw Damaged("ends before its trie");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(map);
        map = map[sizeof(uint)..];
        if (size == 0 || size % sizeof(uint) != 0 || size > map.Length) throw Damaged($"has {map.Length} bytes, but a trie of {size}");
        if (size > MaxUnits * sizeof(uint)) throw Damaged($"has a trie of {size} bytes; at most {MaxUnits * sizeof(uint)} are supported");
        var units = new uint[size / sizeof(uint)];
        for (var i = 0; i < units.Length; i++) units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(i * sizeof(uint))..]);
        var replacements = map[(int)size..].ToArray();
        return replacements is [.., 0] && Utf8.IsValid(replacements) ? new CharacterMap(units, replacements)
            : throw Damaged("ends within a replacement, or has one that is no UTF-8");
    }

    public string Apply(string text)
    {
        if (_keepsAscii && text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0) return text;
        StringBuilder mapped = new(text.Length);
        for (var rest = text.AsSpan(); rest.Length > 0;)
        {
            var length = StringInfo.GetNextTextElementLength(rest);
            var cluster = rest[..length];
            rest = rest[length..];
            if (Encoding.UTF8.GetByteCount(cluster) <= LongestCluster && TryAppend(cluster, mapped)) continue;
            while (cluster.Length > 0)
            {
                Rune.DecodeFromUtf16(cluster, out _, out var consumed);
                if (!TryAppend(cluster[..consumed], mapped)) mapped.Append(cluster[..consumed]);
                cluster = cluster[consumed..];
            }
        }

        return mapped.ToString();
    }

    private bool TryAppend(ReadOnlySpan<char> characters, StringBuilder mapped)
    {
        Span<byte> bytes = stackalloc byte[LongestCluster];
        var start = Find(bytes[..Encoding.UTF8.GetBytes(characters, bytes)]);
        if (start < 0) return false;
        var replacement = _replacements.AsSpan(start);
        mapped.Append(Encoding.UTF8.GetString(replacement[..replacement.IndexOf((byte)0)]));
        return true;
    }

    /// <summary>Where the replacement of the shortest beginning that the map has starts; -1 where it has none.</summary>
    private int Find(ReadOnlySpan<byte> key)
    {
        var node = Children(0);
        foreach (var label in key)
        {
            if (label == 0 || !TryStep(node, label, out node, out var hasValue)) return -1;
            if (hasValue) return (int)(_units[node] & ~IsValue);
        }

        return -1;
    }

    /// <param name="node">Where the children of a node are: each at this number XOR its label, and its value at the number itself.</param>
    private bool TryStep(int node, byte label, out int next, out bool hasValue)
    {
        var child = node ^ label;
        (next, hasValue) = (0, false);
        if (child >= _units.Length || (_units[child] & Label) != label) return false;
        next = Children(child);
        hasValue = ((_units[child] >> 8) & 1) != 0;
        return true;
    }

    private int Children(int unit) => unit ^ (int)((_units[unit] >> 10) << (int)((_units[unit] & (1u << 9)) >> 6));

    /// <summary>Walks all of the trie once, so that no look-up leaves it.</summary>
    private void Check()
    {
        // Tails that are alike are shared, so a node may be met again, but not below itself.
        const byte OnPath = 1, Done = 2;
        var states = new byte[_units.Length];
        Stack<(int Node, int Label)> path = [];
        Enter(Children(0));
        while (path.TryPop(out var at))
        {
            if (at.Label > byte.MaxValue)
            {
                states[at.Node] = Done;
                continue;
            }

            path.Push((at.Node, at.Label + 1));
            if (!TryStep(at.Node, (byte)at.Label, out var next, out var hasValue)) continue;
            if (next >= _units.Length) throw Damaged($"leads out of its trie, to {next} of {_units.Length} units");
            if (hasValue && !IsReplacement(_units[next])) throw Damaged($"has the value {_units[next]:X}, where no replacement starts");
            if (states[next] == OnPath) throw Damaged($"has a trie that goes in a circle at {next}");
            if (states[next] != Done) Enter(next);
        }

        void Enter(int node)
        {
            if (node >= _units.Length) throw Damaged($"leads out of its trie, to {node} of {_units.Length} units");
            states[node] = OnPath;
            path.Push((node, 1));
        }

        bool IsReplacement(uint unit) => (unit & IsValue) != 0 && (unit & ~IsValue) < _replacements.Length
            && (_replacements[unit & ~IsValue] & 0xC0) != 0x80;
    }

    private static UnsupportedTokenizerException Damaged(string what) =>
        new($"The precompiled_charsmap in the normalizer of tokenizer.json {what}: it is not as SentencePiece writes it.");
}
