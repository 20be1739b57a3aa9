using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Templates;

/// <summary>A time as C's <c>strftime</c> writes it, in English.</summary>
internal static class TimeText
{
    /// <exception cref="TemplateException">The format has a directive that is not supported.</exception>
    public static string Of(DateTimeOffset time, string format)
    {
        var text = new StringBuilder();
        for (var at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 == format.Length)
            {
                text.Append(format[at]);
                continue;
            }

            // "-" leaves out the leading zero.
            var isBare = format[at + 1] == '-' && at + 2 < format.Length;
            at += isBare ? 2 : 1;
            var part = Part(time, format[at]);
            text.Append(isBare && part.Length > 1 ? part.TrimStart('0').PadLeft(1, '0') : part);
        }

        return text.ToString();
    }

    private static string Part(DateTimeOffset time, char directive) => directive switch
    {
        'd' => Format(time, "dd"),
        'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'm' => Format(time, "MM"),
        'b' or 'h' => Format(time, "MMM"),
        'B' => Format(time, "MMMM"),
        'a' => Format(time, "ddd"),
        'A' => Format(time, "dddd"),
        'y' => Format(time, "yy"),
        'Y' => Format(time, "yyyy"),
        'H' => Format(time, "HH"),
        'I' => Format(time, "hh"),
        'M' => Format(time, "mm"),
        'S' => Format(time, "ss"),
        'f' => Format(time, "ffffff"),
        'p' => Format(time, "tt"),
        'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'u' => (time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'F' => Format(time, "yyyy-MM-dd"),
        'T' => Format(time, "HH:mm:ss"),
        'R' => Format(time, "HH:mm"),
        'D' => Format(time, "MM/dd/yy"),
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => throw new TemplateException($"The time format '%{directive}' is not supported."),
    };

    private static string Format(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
