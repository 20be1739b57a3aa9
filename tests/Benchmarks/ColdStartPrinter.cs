using System.Globalization;
using R1Serverless.ModelBuilder.Checkpoints;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench cold-start` measured, as tables, and its bars.</summary>
internal static class ColdStartPrinter
{
    private const double FirstTokenBar = 0.8, FirstBar = 1.2, ColdFirstBar = 2.9, PeakBar = 1.3, ReadBar = 1.5;

    private static readonly string[] Phases = ["port_open", "artifacts", "sessions", "warmed", "ready", "first_token"];

    /// <param name="restCost">Of this machine, as <see cref="RestCost"/> measures it.</param>
    public static void Print(IAnsiConsole console, IReadOnlyList<ColdStartRow> rows, double restCost)
    {
        foreach (var model in rows.GroupBy(row => row.Model))
        {
            Table table = new() { Title = new TableTitle($"{model.Key}: seconds since the process's start, medians") };
            foreach (var column in new[] { "way" }.Concat(Phases.Select(phase => phase.Replace('_', ' ')))
                .Concat(["read s", "first ms", "later ms", "rested ms", "peak / file"])) table.AddColumn(column);
            foreach (var row in model)
            {
                table.AddRow(
                [
                    ColdStartBench.Name(row.Way), .. Phases.Select(phase => Number(row.Median.Phases.GetValueOrDefault(phase), "0.00")),
                        Number(row.Median.ReadSeconds, "0.00"),
                    Number(row.Median.FirstMilliseconds, "0.0"), Number(row.Median.SteadyMilliseconds, "0.0"),
                        Number(row.Median.RestedMilliseconds, "0.0"), Number(row.PeakOverFile, "0.00"),
                ]);
            }

            console.Write(table);
            foreach (var bar in Bars(model.Key, [.. model])) console.WriteLine(bar);
        }

        console.WriteLine(
            string.Create(CultureInfo.InvariantCulture,
            $"Any calculation of a millisecond takes {restCost:0.0} times as long on this machine after a rest of "
            + $"{ColdStartBench.Rest.TotalSeconds} s."));
    }

    private static IEnumerable<string> Bars(string model, IReadOnlyList<ColdStartRow> rows)
    {
        foreach (var row in rows)
        {
            var name = ColdStartBench.Name(row.Way);
            if (row.Way.WarmedUp) yield return Bar($"{name}: first request over later ones", row.FirstOverSteady, FirstBar, isMost: true);
            if (row.Way.WarmedUp)
                yield return string.Create(CultureInfo.InvariantCulture,
                    $"{name}: first request over later ones after a rest of {ColdStartBench.Rest.TotalSeconds} s: {row.FirstOverRested:0.00}");
            if (model == ShippedModels.Nano && row.Way.WarmedUp)
                yield return Bar($"{name}: start to first token, s", row.Median.Phases["first_token"], FirstTokenBar, isMost: true);
            if (!row.Way.WarmedUp && rows.FirstOrDefault(one => one.Way == row.Way with { WarmedUp = true }) is { } warmed)
                yield return Bar($"{name}: first request over that of a warmed up start",
                    row.Median.FirstMilliseconds / warmed.Median.FirstMilliseconds, ColdFirstBar, isMost: false);
            if (model != ShippedModels.Nano && row.Way.Prepared && row.Way.WarmedUp)
            {
                var warming = row.Median.Phases["ready"] - row.Median.Phases["sessions"];
                yield return Bar($"{name}: start to ready, s, against 1.5 file reads and the warming", row.Median.Phases["ready"],
                    (ReadBar * row.Median.ReadSeconds) + warming, isMost: true);
                yield return Bar($"{name}: peak memory over the files", row.PeakOverFile, PeakBar, isMost: true);
            }
        }
    }

    private static string Bar(string what, double value, double bar, bool isMost) =>
        string.Create(CultureInfo.InvariantCulture,
        $"{what}: {value:0.00} (bar {(isMost ? "at most" : "at least")} {bar:0.00}: {((isMost ? value <= bar : value >= bar) ? "held" : "missed")})");

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
