using System.Globalization;

namespace R1Serverless.Serving;

/// <summary>Numbers as people read them: 3.6 MB, 904 thousand, 12 s.</summary>
internal static class DisplayFormat
{
    private static readonly string[] ByteUnits = ["B", "kB", "MB", "GB", "TB"];
    private static readonly string[] CountUnits = ["", " thousand", " million", " billion", " trillion"];

    /// <summary>Decimal units, as disks are sold.</summary>
    public static string Bytes(long bytes) => Scale(bytes, " ", ByteUnits);

    public static string Count(long count) => Scale(count, "", CountUnits);

    /// <summary>In the largest unit of which there are two.</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalDays: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalDays:0} days"),
        { TotalHours: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalHours:0} h"),
        { TotalMinutes: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalMinutes:0} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0.#} s"),
    };

    /// <summary>What somebody else wrote, as a terminal may have it: control characters could move its cursor or change its colours.</summary>
    /// <param name="most">Characters; the rest is left out.</param>
    public static string Text(string text, int most = int.MaxValue)
    {
        var shown = string.Create(Math.Min(text.Length, most), text, (to, from) =>
        {
            for (var i = 0; i < to.Length; i++) to[i] = char.IsControl(from[i]) && from[i] != '\n' ? '\uFFFD' : from[i];
        });
        return text.Length > most ? $"{shown}…" : shown;
    }

    private static string Scale(double value, string separator, string[] units)
    {
        var unit = 0;
        for (; value >= 999.5 && unit < units.Length - 1; unit++) value /= 1000;
        return unit > 0 && value < 9.95 ? $"{value:0.0}{separator}{units[unit]}" : $"{value:0}{separator}{units[unit]}";
    }
}
