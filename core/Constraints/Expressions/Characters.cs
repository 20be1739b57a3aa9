using System.Globalization;
using System.Text;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Expressions;

/// <summary>
/// Writes characters as bytes: as they are, or as they stand in a JSON string. There each character has exactly one form (an escape
/// only where JSON demands one, the short one where there is one), so that intersections and complements of strings are exact.
/// </summary>
internal sealed class Characters
{
    private static readonly (int Low, int High)[] Widths = [(0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF)];

    private readonly TermStore _store;
    private readonly bool _isJson;
    private readonly Dictionary<CodePoints, Term> _known = [];

    public Characters(TermStore store, bool isJson)
    {
        _store = store;
        _isJson = isJson;
        Any = Of(CodePoints.All);
        AnyText = store.Star(Any);
        store.AnyCharacter = Any;
    }

    public TermStore Store => _store;

    /// <summary>Any one character.</summary>
    public Term Any { get; }

    /// <summary>Any text.</summary>
    public Term AnyText { get; }

    public Term Text(string text)
    {
        if (!_isJson)
            return _store.Text(text);
        var result = _store.Empty;
        foreach (var rune in text.EnumerateRunes().Reverse())
            result = _store.Concat(_store.Text(Escaped(rune.Value)), result);
        return result;
    }

    /// <summary>One of several texts, with common beginnings shared.</summary>
    public Term AnyOf(IEnumerable<string> texts) => Shared(_store, [.. texts.Select(text => Encoding.UTF8.GetBytes(Written(text)))], 0);

    /// <summary>One of several byte strings, with common beginnings shared.</summary>
    public static Term Shared(TermStore store, List<byte[]> texts, int from)
    {
        var parts = new List<Term>();
        foreach (var group in texts.Where(text => text.Length > from).GroupBy(text => text[from]))
        {
            var list = group.ToList();
            var depth = from + 1;
            while (list.TrueForAll(text => text.Length > depth && text[depth] == list[0][depth]))
                depth++;
            var tail = list.Count == 1 ? store.Text(list[0].AsSpan(from)) : store.Concat(store.Text(list[0].AsSpan(from, depth - from)),
                Shared(store, list, depth));
            parts.Add(tail);
        }
        if (texts.Exists(text => text.Length == from))
            parts.Add(store.Empty);
        return store.Either(parts);
    }

    public string Written(string text) => _isJson ? string.Concat(text.EnumerateRunes().Select(rune => Escaped(rune.Value))) : text;

    public Term Of(CodePoints set)
    {
        if (_known.TryGetValue(set, out var known))
            return known;
        var parts = new List<Term>();
        foreach (var (low, high) in set.Ranges)
        {
            var from = low;
            if (_isJson)
            {
                for (; from <= Math.Min(high, '\\'); from++)
                {
                    if (from is < 32 or '"' or '\\')
                        parts.Add(Escape(from));
                    else
                        parts.Add(_store.Bytes(ByteSet.Of(from)));
                }
            }
            foreach (var (first, last) in Widths)
            {
                if (Math.Max(from, first) is var start && Math.Min(high, last) is var end && start <= end)
                    Add(parts, start, end);
            }
        }
        return _known[set] = _store.Either(parts);
    }

    private static string Escaped(int value) => value switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        8 => "\\b",
        9 => "\\t",
        10 => "\\n",
        12 => "\\f",
        13 => "\\r",
        < 32 => "\\u" + value.ToString("x4", CultureInfo.InvariantCulture),
        _ => new Rune(value).ToString(),
    };

    // The hexadecimal digit of the four last control characters' names may be of either case.
    private Term Escape(int value) =>
        value < 32 && value % 16 > 9 && Escaped(value).Length == 6
            ? _store.Either(_store.Text(Escaped(value)), _store.Text(Escaped(value).ToUpperInvariant().Replace('U', 'u')))
            : _store.Text(Escaped(value));

    // Ranges of one encoded length, split until each is a product of ranges of bytes.
    private void Add(List<Term> parts, int low, int high)
    {
        Span<byte> first = stackalloc byte[4], last = stackalloc byte[4];
        var length = Encoded(low, first);
        Encoded(high, last);
        for (var i = length - 1; i > 0; i--)
        {
            var mask = (1 << (6 * i)) - 1;
            if ((low & ~mask) == (high & ~mask))
                continue;
            if ((low & mask) != 0)
            {
                Add(parts, low, low | mask);
                Add(parts, (low | mask) + 1, high);
                return;
            }
            if ((high & mask) != mask)
            {
                Add(parts, low, (high & ~mask) - 1);
                Add(parts, high & ~mask, high);
                return;
            }
        }
        var result = _store.Empty;
        for (var i = length - 1; i >= 0; i--)
            result = _store.Concat(_store.Bytes(ByteSet.Range(first[i], last[i])), result);
        parts.Add(result);
    }

    private static int Encoded(int value, Span<byte> bytes)
    {
        switch (value)
        {
            case < 0x80:
                bytes[0] = (byte)value;
                return 1;
            case < 0x800:
                bytes[0] = (byte)(0xC0 | value >> 6);
                bytes[1] = (byte)(0x80 | value & 63);
                return 2;
            case < 0x10000:
                bytes[0] = (byte)(0xE0 | value >> 12);
                bytes[1] = (byte)(0x80 | value >> 6 & 63);
                bytes[2] = (byte)(0x80 | value & 63);
                return 3;
            default:
                bytes[0] = (byte)(0xF0 | value >> 18);
                bytes[1] = (byte)(0x80 | value >> 12 & 63);
                bytes[2] = (byte)(0x80 | value >> 6 & 63);
                bytes[3] = (byte)(0x80 | value & 63);
                return 4;
        }
    }
}
