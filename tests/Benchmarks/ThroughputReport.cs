using System.Globalization;
using R1Serverless.Bench;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>The measured rows as tables, and what falls short of its bar.</summary>
internal static class ThroughputReport
{
    private const double ManyOverOneBar = 5;

    public static void Print(IAnsiConsole console, IReadOnlyList<ThroughputRow> rows)
    {
        foreach (var model in rows.GroupBy(r => r.Model))
        {
            var table = new Table { Title = new TableTitle(model.Key) };
            foreach (var column in new[] { "way", "at once", "tokens/s", "ratio", "bar", "first ms p50 / p99", "gap ms p50 / p99",
                "model + sampling", "B/token", "memory" }) table.AddColumn(column);
            foreach (var row in model) table.AddRow(Cells(row));
            console.Write(table);
            PrintManyOverOne(console, [.. model]);
        }

        console.WriteLine(
            "memory: for http, what the server's process holds; else how much the bench's own process grew while that way was opened and ran.");
    }

    private static string[] Cells(ThroughputRow row) =>
    [
        row.Way,
        Number(row.Clients, "0"),
        Number(row.TokensPerSecond, "N0"),
        row.Way is "raw" or "static" ? "" : Number(row.Ratio, "0.00"),
        row.Bar is { } bar ? $"{Number(bar, "0.00")} {(row.Ratio >= bar ? "held" : "missed")}" : "",
        Pair(row.FirstToken),
        Pair(row.Gap),
        row.Profile is { } profile ? $"{Number(profile.Model, "P0")} + {Number(profile.Sampling, "P1")}" : "",
        row.Profile is { } allocating ? Number(allocating.BytesPerToken, "N0") : "",
        row.MemoryBytes == 0 ? "" : $"{Number(row.MemoryBytes / 1048576.0, "N0")} MiB",
    ];

    private static void PrintManyOverOne(IAnsiConsole console, IReadOnlyList<ThroughputRow> rows)
    {
        foreach (var way in new[] { "engine", "http" })
        {
            var one = rows.FirstOrDefault(r => r.Way == way && r.Clients == 1);
            var many = rows.FirstOrDefault(r => r.Way == way && r.Clients == 32);
            if (one is null || many is null) continue;
            var ratio = many.TokensPerSecond / one.TokensPerSecond;
            var bar = rows[0].Model == MeasuredModels.Synthetic ? $", bar {ManyOverOneBar}: {(ratio >= ManyOverOneBar ? "held" : "missed")}" : "";
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"{way}: 32 clients get {ratio:0.0} times the throughput of one{bar}");
        }
    }

    private static string Pair(Percentiles p) => p == default ? "" : $"{Number(p.P50, "0.0")} / {Number(p.P99, "0.0")}";

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
