using System.Globalization;
using System.Numerics;

namespace R1Serverless.Constraints.Schemas;

/// <summary>An exact decimal number, as JSON writes one: `Digits` · 10^-`Scale`, without zeros at its end.</summary>
internal readonly record struct Decimals(BigInteger Digits, int Scale)
{
    private const int MaxScale = 400;

    public bool IsNegative => Digits.Sign < 0;

    public static bool TryParse(string text, out Decimals value)
    {
        value = default;
        var exponent = text.AsSpan().IndexOfAny('e', 'E');
        var shift = 0;
        if (exponent >= 0 && !int.TryParse(text.AsSpan(exponent + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out shift)
            || Math.Abs(shift) > MaxScale || text.Length > MaxScale)
        {
            return false;
        }
        var mantissa = exponent >= 0 ? text[..exponent] : text;
        var dot = mantissa.IndexOf('.', StringComparison.Ordinal);
        var digits = BigInteger.Parse(mantissa.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        var scale = (dot < 0 ? 0 : mantissa.Length - dot - 1) - shift;
        if (scale < 0)
            (digits, scale) = (digits * BigInteger.Pow(10, -scale), 0);
        while (scale > 0 && digits % 10 == 0)
            (digits, scale) = (digits / 10, scale - 1);
        value = new Decimals(digits, scale);
        return true;
    }

    public static int Compare(Decimals x, Decimals y) =>
        (x.Digits * BigInteger.Pow(10, y.Scale)).CompareTo(y.Digits * BigInteger.Pow(10, x.Scale));

    /// <summary>The digits before and after the point, of the absolute value.</summary>
    public (string Whole, string Fraction) Split()
    {
        var text = BigInteger.Abs(Digits).ToString(CultureInfo.InvariantCulture).PadLeft(Scale + 1, '0');
        return (text[..^Scale], text[^Scale..]);
    }
}
