using System.Globalization;
using Spectre.Console;

namespace R1Serverless.Bench;

/// <summary>What `r1 bench gpu` found, as tables.</summary>
internal static class GpuPrinter
{
    public static void Print(IAnsiConsole console, GpuReport report)
    {
        console.WriteLine(
            $"{report.Device}: {string.Join("; ", report.Hardware)}; ONNX Runtime {report.RuntimeVersion}; {report.Processor}, "
            + $"{report.Cores} cores; {Number(report.Seconds, "0")} s");
        if (report.Bandwidth > 0)
            console.WriteLine($"Copies within the device's memory read and write {Number(report.Bandwidth / 1e9, "N0")} GB/s together.");
        var checks = Create("model", "variant", "check", "outcome", "figure", "why");
        foreach (var check in report.Checks)
        {
            checks.AddRow(
                [.. ((string[])[check.Model, check.Variant ?? "", $"{check.Part}", $"{check.Outcome}",
                check.Figure is { } figure ? $"{Number(figure, "G5")} {check.Unit}" : "", check.Reason]).Select(Markup.Escape)]);
        }

        var speeds = Create("model", "variant", "at once", "raw tokens/s", "engine tokens/s", "engine / raw", "of bandwidth");
        foreach (var speed in report.Speeds)
            speeds.AddRow(speed.Model, speed.Variant, $"{speed.Rows}", Number(speed.Raw, "N0"), Number(speed.Engine, "N0"),
                Number(speed.OfRaw, "0.00"), Number(speed.OfBandwidth, "P1"));
        console.Write(checks);
        if (report.Speeds.Count > 0) console.Write(speeds);
    }

    private static Table Create(params string[] columns) =>
        new Table().Border(TableBorder.Simple).AddColumns(columns);

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
