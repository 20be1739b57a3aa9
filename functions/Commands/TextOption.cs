using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary>Options whose text stands for something else: sizes, times, addresses, choices. A text that does not is refused under the option's
/// name.</summary>
internal static class TextOption
{
    private const double MaxBytes = 1L << 50;

    // Far enough that nobody wants more, and no calendar ends.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36_500);

    /// <param name="least">In bytes.</param>
    /// <param name="example">What is expected, behind "is not a size such as".</param>
    public static Option<long?> Size(string name, long least, string example, string description) => Create<long>(
        name, "SIZE", description, $"a size such as {example}", text => ParseSize(text) is { } bytes && bytes >= least ? bytes : null);

    /// <summary>Times such as 90d, 24h, 30m or 0s.</summary>
    public static Option<TimeSpan?> Duration(string name, string description) =>
        Create(name, "TIME", description, "a time such as 90d, 24h, 30m or 0s, at most 36500d", ParseDuration);

    /// <summary>One of an enumeration's names, in lower case.</summary>
    public static Option<T> Choice<T>(string name, T usual, string description)
        where T : struct, Enum
    {
        string[] all = [.. Enum.GetNames<T>().Select(one => one.ToLowerInvariant())];
        return new(name)
        {
            Description = description, HelpName = string.Join('|', all), DefaultValueFactory = _ => usual,
            CustomParser = result =>
            {
                if (result.Tokens is [{ Value: var text }] && all.Contains(text)) return Enum.Parse<T>(text, ignoreCase: true);
                result.AddError($"{name} must be {string.Join(", ", all[..^1])} or {all[^1]}.");
                return usual;
            },
        };
    }

    /// <summary>A server's address; null with the error where the text is none.</summary>
    public static Uri? Address(ArgumentResult result)
    {
        var text = result.Tokens is [{ Value: var given }] ? given : "";
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return url;
        result.AddError($"'{text}' is not an address such as {ListenAddresses.Default}.");
        return null;
    }

    /// <summary>What the command line says, else the environment; null where neither does.</summary>
    public static string? Said(ParseResult arguments, Option<string?> option, string variable) => arguments.GetValue(option) ?? Set(variable);

    /// <summary>Null where the variable is empty, too.</summary>
    public static string? Set(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    private static Option<T?> Create<T>(string name, string unit, string description, string expected, Func<string, T?> parse)
        where T : struct => new(name)
        {
            Description = description, HelpName = unit,
            CustomParser = result =>
            {
                var text = result.Tokens is [{ Value: var given }] ? given : "";
                var value = parse(text);
                if (value is null) result.AddError($"{name}: '{text}' is not {expected}.");
                return value;
            },
        };

    /// <summary>A number with B, KB, MB, GB or TB (powers of 1024; KiB and the like mean the same), from 1 byte to 1 PiB.</summary>
    private static long? ParseSize(string text)
    {
        var trimmed = text.Trim();
        var split = trimmed.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        if (!double.TryParse(trimmed.AsSpan(0, split), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return null;
        var unit = trimmed[split..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "K" or "KB" or "KIB" => 1L << 10,
            "M" or "MB" or "MIB" => 1L << 20,
            "G" or "GB" or "GIB" => 1L << 30,
            "T" or "TB" or "TIB" => 1L << 40,
            _ => 0,
        };
        var bytes = number * unit;
        return bytes is >= 1 and <= MaxBytes ? (long)bytes : null;
    }

    private static TimeSpan? ParseDuration(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            return null;
        var seconds = text[^1] switch { 'd' => 86_400, 'h' => 3_600, 'm' => 60, 's' => 1, _ => double.NaN };
        return count * seconds <= Longest.TotalSeconds ? TimeSpan.FromSeconds(count * seconds) : null;
    }
}
