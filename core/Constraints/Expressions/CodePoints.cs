using System.Globalization;
using System.Text;

namespace R1Serverless.Constraints.Expressions;

/// <summary>A set of Unicode characters (surrogates are none), as sorted ranges.</summary>
internal sealed class CodePoints
{
    private const int Last = 0x10FFFF;

    public static readonly CodePoints All = Of((0, 0xD7FF), (0xE000, Last));
    public static readonly CodePoints Digit = Of(('0', '9'));
    public static readonly CodePoints Word = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));
    public static readonly CodePoints Space = Of((9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
        (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF));

    public static readonly CodePoints Dot = Of((10, 10), (13, 13), (0x2028, 0x2029)).Inverted();

    private static readonly Lazy<Dictionary<string, CodePoints>> Categories = new(ReadCategories);

    private CodePoints(List<(int Low, int High)> ranges) => Ranges = ranges;

    public List<(int Low, int High)> Ranges { get; }

    public static CodePoints Of(params IEnumerable<(int Low, int High)> ranges)
    {
        var merged = new List<(int Low, int High)>();
        foreach (var range in ranges.OrderBy(range => range.Low))
        {
            if (merged.Count > 0 && range.Low <= merged[^1].High + 1)
                merged[^1] = (merged[^1].Low, Math.Max(merged[^1].High, range.High));
            else
                merged.Add(range);
        }
        return new CodePoints(merged);
    }

    public static CodePoints Union(IEnumerable<CodePoints> sets) => Of(sets.SelectMany(set => set.Ranges));

    /// <summary>A general category such as "L" or "Lu"; null where there is none of that name.</summary>
    public static CodePoints? Category(string name) => Categories.Value.GetValueOrDefault(name);

    /// <summary>The characters of both.</summary>
    public CodePoints And(CodePoints other)
    {
        var result = new List<(int, int)>();
        foreach (var (low, high) in Ranges)
        {
            foreach (var range in other.Ranges)
            {
                if (Math.Max(low, range.Low) is var from && Math.Min(high, range.High) is var to && from <= to)
                    result.Add((from, to));
            }
        }
        return Of(result);
    }

    public CodePoints Inverted()
    {
        var result = new List<(int, int)>();
        var next = 0;
        foreach (var (low, high) in Ranges)
        {
            if (low > next)
                result.Add((next, low - 1));
            next = high + 1;
        }
        if (next <= Last)
            result.Add((next, Last));
        var inverted = Of(result);
        return Ranges is [(0, 0xD7FF), (0xE000, Last)] ? inverted : inverted.And(All);
    }

    private static Dictionary<string, CodePoints> ReadCategories()
    {
        var ranges = new Dictionary<string, List<(int Low, int High)>>(StringComparer.Ordinal);
        for (var value = 0; value <= Last; value++)
        {
            if (!Rune.IsValid(value))
                continue;
            var name = Short(CharUnicodeInfo.GetUnicodeCategory(value));
            foreach (var key in (string[])[name, name[..1]])
            {
                if (!ranges.TryGetValue(key, out var list))
                    ranges[key] = list = [];
                if (list.Count > 0 && list[^1].High == value - 1)
                    list[^1] = (list[^1].Low, value);
                else
                    list.Add((value, value));
            }
        }
        return ranges.ToDictionary(one => one.Key, one => Of(one.Value), StringComparer.Ordinal);
    }

    private static string Short(UnicodeCategory category) =>
        "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Zs Zl Zp Cc Cf Cs Co Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Cn".Split(' ')[(int)category];
}
