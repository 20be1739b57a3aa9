using R1Serverless.Abstractions;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

public sealed class PrecisionPrinterTests
{
    [Fact]
    public void Tables_and_bars_are_printed()
    {
        var text = Print(PrecisionReports.Small);
        Assert.Contains("bench: 50 million parameters. All cores together read 27.5 GB/s from memory, 30.3 GB/s at best.", text);
        Assert.Contains("Built in 61.3 s with 2.1 GB of memory at most.", text);
        Assert.Matches(@"fp32 +│ +200 MB +│ +200 MB +│ +1\.50 +│ +300 MB", text);
        Assert.Matches(@"int8 +│ +100 MB +│ +50 MB +│ +0\.50 +│ +150 MB", text);
        Assert.Matches(@"fp32 +│ +1 +│ +14\.3 +│ +│ +0\.90 +│ +│ +0\.98", text);
        Assert.Matches(@"int8 +│ +32 +│ +32,000 +│ +1\.25 +│ +│ +9\.0 +│", text);
        Assert.Contains("INT8 over FP32 at 1: 2.50, bar 2.00: held", text);
        Assert.Contains("INT8 over FP32 at 32: 1.25, bar 1.50: missed", text);
        Assert.DoesNotContain("bandwidth at 1", text);
    }

    [Fact]
    public void Large_models_are_held_against_the_memory_and_against_themselves()
    {
        var bars = PrecisionBars.Of(PrecisionReports.Large);
        Assert.Equal([(0.7, 0.65, true), (3.5, 4, false)], bars.Take(2).Select(b => (b.Value, b.Limit, b.IsHeld)));
        // Without FP32 on the disk, four bytes a parameter stand for it.
        Assert.Equal(2_000_000_000.0 / (4 * 1_780_000_000L), bars[2].Value, 1e-12);
        Assert.True(bars[2].IsHeld);
        Assert.Contains("INT8's files over FP32's: 0.28, bar at most 0.30: held", Print(PrecisionReports.Large));
    }

    [Fact]
    public void Small_models_and_those_without_int8_have_no_bars()
    {
        Assert.Empty(PrecisionBars.Of(PrecisionReports.Small with { Parameters = 49_999_999 }));
        Assert.Empty(
            PrecisionBars.Of(
            PrecisionReports.Small with { Variants = [.. PrecisionReports.Small.Variants.Where(v => v.Precision != Precision.Int8)] }));
    }

    private static string Print(PrecisionReport report)
    {
        using StringWriter writer = new();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 140;
        console.Profile.Capabilities.Unicode = true;
        PrecisionPrinter.Print(console, report);
        return writer.ToString();
    }
}
