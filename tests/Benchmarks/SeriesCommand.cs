using System.CommandLine;
using System.Globalization;
using R1Serverless.Commands;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench series</c>: decisions over windows of 64 events with 16 values, asked for one by one over HTTP.</summary>
internal static class SeriesCommand
{
    private static readonly Option<int> Rate = NumberOption.Bound(new Option<int>("--rate")
    {
        Description = "Events per second.", HelpName = "N", DefaultValueFactory = _ => 100,
    }, 1, 10_000);

    private static readonly Option<int> Series = NumberOption.Bound(new Option<int>("--series")
    {
        Description = "Series that the events are of, in turn.", HelpName = "N", DefaultValueFactory = _ => 50,
    }, 1, 100_000);

    private static readonly Option<int> Seconds = NumberOption.Bound(new Option<int>("--seconds")
    {
        Description = "How long events are sent.", HelpName = "S", DefaultValueFactory = _ => 30,
    }, 1, 3600);

    public static Command Create()
    {
        Command command = new("series",
            "Measure what a decision over a window of 64 × 16 values takes (two convolutions of 32 channels), event by event at a given rate: the "
            + "HTTP request, what the server says of it, and ONNX Runtime's run of the same window in this process at the same rate.")
        {
            Rate, Series, Seconds,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() =>
            RunAsync(arguments.GetValue(Rate), arguments.GetValue(Series), TimeSpan.FromSeconds(arguments.GetValue(Seconds)), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(int rate, int series, TimeSpan duration, CancellationToken cancellation)
    {
        var rows = await SeriesBench.RunAsync(rate, series, duration, cancellation);
        Table table = new();
        table.AddColumn("ms");
        foreach (var column in (string[])["p50", "p99", "most", "decisions"]) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var (name, times) in rows)
        {
            double[] sorted = [.. times.Order()];
            table.AddRow(
                name, Text(sorted[sorted.Length / 2]), Text(sorted[sorted.Length * 99 / 100]), Text(sorted[^1]), $"{sorted.Length}");
        }

        TableConsole.Create(isJson: false).Write(table);
        return 0;
    }

    private static string Text(double milliseconds) => milliseconds.ToString("N2", CultureInfo.InvariantCulture);
}
