using System.Globalization;
using R1Serverless.Access;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>Keys for people and for programs; no hashes, which are of use to nobody.</summary>
internal static class KeysPrinter
{
    private const string None = "–";

    public static void WriteTable(IReadOnlyList<NamedKey> keys, DateTimeOffset now)
    {
        if (keys.Count == 0)
        {
            Console.WriteLine("No keys: nobody may call.");
            return;
        }

        Table table = new Table().Border(TableBorder.Simple).AddColumns("name", "for", "created", "expires", "old secret until", "limits");
        foreach (NamedKey key in keys)
        {
            table.AddRow(
                key.Name, string.Join(", ", ScopeName.Of(key.Scopes)), Time(key.Created), key.Expires <= now ? "expired" : Time(key.Expires),
                key.Previous is { } previous && previous.Expires > now ? Time(previous.Expires) : None, Limits(key.Limits));
        }

        BenchConsole.Create(isJson: false).Write(table);
    }

    public static void WriteJson(IReadOnlyList<NamedKey> keys)
    {
        using Stream output = Console.OpenStandardOutput();
        KeyListing.Write(output, keys);
        output.Write("\n"u8);
    }

    private static string Time(DateTimeOffset? time) => time is { } known ? known.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) : None;

    private static string Limits(KeyLimits limits)
    {
        string[] set =
        [
            .. limits.MaxConcurrent is { } concurrent ? [$"{concurrent} at once"] : Array.Empty<string>(),
            .. limits.MaxQueued is { } queued ? [$"{queued} queued"] : Array.Empty<string>(),
            .. limits.RequestsPerMinute is { } requests ? [$"{requests} requests/min"] : Array.Empty<string>(),
            .. limits.TokensPerMinute is { } tokens ? [$"{tokens} tokens/min"] : Array.Empty<string>(),
        ];
        return set.Length > 0 ? string.Join(", ", set) : None;
    }
}
