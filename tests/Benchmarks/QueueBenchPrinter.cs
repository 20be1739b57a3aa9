using System.Globalization;
using R1Serverless.Bench;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench queue` measured, as tables.</summary>
internal static class QueueBenchPrinter
{
    public static void Print(IAnsiConsole console, QueueReport report)
    {
        if (report.Latency is { } latency) console.Write(Latency(latency));
        if (report.Rates is { } rates) console.Write(Rates(rates));
        if (report.Drains.Count > 0) console.Write(Drains(report.Drains));
    }

    private static Table Latency(QueueLatency latency)
    {
        var table = Create(Number($"{latency.Model} through {latency.Transport}, {latency.Requests} short requests each way, one at a time"), "",
            "direct p50 / p99 ms", "queued p50 / p99 ms", "added p50 / p99 ms");
        table.AddRow("first text", Pair(latency.DirectFirst), Pair(latency.QueuedFirst), Pair(latency.Added));
        table.AddRow("whole", Pair(latency.DirectWhole), Pair(latency.QueuedWhole), Pair(latency.AddedWhole));
        return table;
    }

    private static Table Rates(QueueRates rates)
    {
        var table = Create("the embedded queue alone", "", "requests/s");
        table.AddRow("enqueued by one producer", Number($"{rates.EnqueuedAlone:N0}"));
        table.AddRow("enqueued by many", Number($"{rates.Enqueued:N0}"));
        table.AddRow("leased and completed", Number($"{rates.Drained:N0}"));
        return table;
    }

    private static Table Drains(IReadOnlyList<QueueDrain> drains)
    {
        var table = Create("a backlog drained by a worker, embedded queue", "model", "requests", "at once", "drain tokens/s", "engine tokens/s",
            "utilisation", "bar");
        foreach (var drain in drains)
        {
            table.AddRow(
                drain.Model, Number($"{drain.Requests}"), Number($"{drain.AtOnce}"), Number($"{drain.DrainTokens:N0}"),
                Number($"{drain.EngineTokens:N0}"), Number($"{drain.Utilisation:0.00}"),
                Number($"{QueueDrain.Bar:0.00} {(drain.Utilisation >= QueueDrain.Bar ? "held" : "missed")}"));
        }

        return table;
    }

    private static Table Create(string title, params string[] columns)
    {
        Table table = new() { Title = new TableTitle(Markup.Escape(title)) };
        foreach (var column in columns) table.AddColumn(column);
        return table;
    }

    private static string Pair(Percentiles p) => Number($"{p.P50:0.0} / {p.P99:0.0}");

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
