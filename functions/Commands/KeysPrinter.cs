using System.Globalization;
using R1Serverless.Auth;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>Keys for people.</summary>
internal static class KeysPrinter
{
    private const string None = "–";

    public static void Write(IReadOnlyList<ApiKey> keys, DateTimeOffset now)
    {
        if (keys.Count == 0)
        {
            Console.WriteLine("No keys: nobody may call.");
            return;
        }

        var table = new Table().Border(TableBorder.Simple).AddColumns("name", "for", "created", "expires", "old secret until", "limits");
        foreach (var key in keys)
        {
            table.AddRow(
                key.Name, string.Join(", ", ScopeNames.Of(key.Scopes)), Time(key.Created), key.Expires <= now ? "expired" : Time(key.Expires),
                key.Previous is { } previous && previous.Expires > now ? Time(previous.Expires) : None, Limits(key.Limits));
        }

        TableConsole.Create(isJson: false).Write(table);
    }

    private static string Time(DateTimeOffset? time) =>
        time is { } known ? known.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) : None;

    private static string Limits(KeyLimits limits)
    {
        (int? Most, string Of)[] all =
        [
            (limits.MaxConcurrent, "at once"), (limits.MaxQueued, "queued"), (limits.RequestsPerMinute, "requests/min"),
            (limits.TokensPerMinute, "tokens/min"),
        ];
        return limits == KeyLimits.None ? None : string.Join(", ", all.Where(one => one.Most is not null).Select(one => $"{one.Most} {one.Of}"));
    }
}
