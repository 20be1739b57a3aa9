using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>The variants' speeds as a table, and the bars that they hold or miss.</summary>
internal static class PrecisionPrinter
{
    public static void Print(IAnsiConsole console, PrecisionReport report)
    {
        console.WriteLine(
            $"{report.Model}: {DisplayFormat.Count(report.Parameters)} parameters. All cores together read {Rate(report.Bandwidth)} from memory, "
            + $"{Rate(report.BestBandwidth)} at best.");
        if (report.Built is { } built)
            console.WriteLine($"Built in {Number(built.Seconds, "0.0")} s with {DisplayFormat.Bytes(built.PeakBytes)} of memory at most.");
        var variants = new Table().AddColumn("variant");
        foreach (var column in new[] { "files", "read per step", "load s", "memory" }) variants.AddColumn(new TableColumn(column).RightAligned());
        var rates = new Table().AddColumn("variant");
        foreach (var column in new[] { "at once", "tokens/s", "× fp32", "of bandwidth", "× one row", "engine / raw" })
            rates.AddColumn(new TableColumn(column).RightAligned());
        foreach (var variant in report.Variants)
        {
            var name = PrecisionName.Of(variant.Precision);
            variants.AddRow(name, DisplayFormat.Bytes(variant.FileBytes), DisplayFormat.Bytes(variant.WeightBytes),
                Number(variant.LoadSeconds, "0.00"), DisplayFormat.Bytes(variant.MemoryBytes));
            foreach (var rate in variant.Rates)
            {
                rates.AddRow(
                    name, $"{rate.Rows}", Number(rate.TokensPerSecond, rate.TokensPerSecond < 100 ? "0.0" : "N0"), Number(rate.OverFp32, "0.00"),
                    Number(rate.OfBandwidth, "0.00"),
                    Number(rate.OverOne, "0.0"), Number(rate.EngineShare, "0.00"));
            }
        }

        console.Write(variants);
        console.Write(rates);
        foreach (var bar in PrecisionBars.Of(report))
            console.WriteLine(
                $"{bar.What}: {Number(bar.Value, "0.00")}, bar {(bar.IsMost ? "at most " : "")}{Number(bar.Limit, "0.00")}: "
                + $"{(bar.IsHeld ? "held" : "missed")}");
    }

    private static string Rate(double bytes) => $"{Number(bytes / 1e9, "0.0")} GB/s";

    private static string Number(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";
}
