using System.Globalization;

namespace R1Serverless.Commands;

/// <summary>Sizes as people write them: a number with B, KB, MB, GB or TB (powers of 1024; KiB and the like mean the same).</summary>
internal static class MemorySize
{
    private const double Most = 1L << 50;

    /// <summary>Bytes, at least 1 and at most 1 PiB, or null if the text is no such size.</summary>
    public static long? Parse(string text)
    {
        string trimmed = text.Trim();
        int split = trimmed.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        if (!double.TryParse(trimmed.AsSpan(0, split), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)) return null;
        double? unit = trimmed[split..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "K" or "KB" or "KIB" => 1L << 10,
            "M" or "MB" or "MIB" => 1L << 20,
            "G" or "GB" or "GIB" => 1L << 30,
            "T" or "TB" or "TIB" => 1L << 40,
            _ => null,
        };
        double bytes = number * (unit ?? 0);
        return bytes is >= 1 and <= Most ? (long)bytes : null;
    }
}
