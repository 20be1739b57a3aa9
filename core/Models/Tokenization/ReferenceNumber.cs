using System.Globalization;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Reads a number as the reference's JSON library does (serde_json's f64_from_parts, without its feature float_roundtrip): its digits as one whole
/// number, then times or over a power of ten. That is at times one bit beside the nearest double, and of ways to cut a text that are as good as
/// equal, such a bit tells which is taken.
/// </summary>
internal static class ReferenceNumber
{
    private static readonly double[] PowersOfTen =
        [.. Enumerable.Range(0, 309).Select(power => double.Parse($"1e{power}", CultureInfo.InvariantCulture))];

    /// <param name="number">Of valid JSON, in ASCII.</param>
    public static double Parse(ReadOnlySpan<byte> number)
    {
        var isNegative = number[0] == '-';
        var (whole, power, isFraction, isFull) = (0ul, 0, false, false);
        for (var i = isNegative ? 1 : 0; i < number.Length; i++)
        {
            if (number[i] is (byte)'e' or (byte)'E')
            {
                // Longer ones are beyond any double.
                power += int.TryParse(number[(i + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var given) ? given : 0;
                break;
            }

            if (number[i] == '.')
            {
                isFraction = true;
                continue;
            }

            // What has no place any more is left out.
            var digit = (ulong)(number[i] - '0');
            isFull |= whole > (ulong.MaxValue - digit) / 10;
            if (!isFull) whole = (whole * 10) + digit;
            if (isFull != isFraction) power += isFull ? 1 : -1;
        }

        double value = whole;
        if (Math.Abs(power) >= PowersOfTen.Length) value = double.Parse(number, CultureInfo.InvariantCulture);
        else if (power < 0) value = Signed(value / PowersOfTen[-power]);
        else value = Signed(value * PowersOfTen[power]);
        return value;

        double Signed(double size) => isNegative ? -size : size;
    }
}
