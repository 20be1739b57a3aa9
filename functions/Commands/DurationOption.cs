using System.CommandLine;
using System.Globalization;

namespace R1Serverless.Commands;

/// <summary>An option that takes a time such as 90d, 24h, 30m or 0s.</summary>
internal static class DurationOption
{
    // Far enough that nobody wants more, and no calendar ends.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36_500);

    public static Option<string?> Create(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "TIME" };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && Parse(text) is null) result.AddError($"{name}: '{text}' is not a time such as 90d, 24h, 30m or 0s, at most 36500d.");
        });
        return option;
    }

    public static TimeSpan? Read(ParseResult arguments, Option<string?> option) => arguments.GetValue(option) is { } text ? Parse(text) : null;

    /// <summary>Null where it is none.</summary>
    public static TimeSpan? Parse(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count)) return null;
        double seconds = text[^1] switch { 'd' => 86_400, 'h' => 3_600, 'm' => 60, 's' => 1, _ => double.NaN };
        return count * seconds <= Longest.TotalSeconds ? TimeSpan.FromSeconds(count * seconds) : null;
    }
}
