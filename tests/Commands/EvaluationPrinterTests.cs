using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Models;
using Spectre.Console;

namespace R1Serverless.Tests.Commands;

public sealed class EvaluationPrinterTests
{
    [Fact]
    public void The_table_has_a_column_per_variant_and_marks_what_loses_too_much()
    {
        var text = Table(Precision.Fp32);
        Assert.Matches("fp32 +int8", text);
        Assert.Matches(@"add \(1 tasks\) +100\.00 % +100\.00 %", text);
        Assert.Matches(@"times \(1 tasks\) +100\.00 % +0\.00 %", text);
        Assert.Matches(@"all \(2 tasks\) +100\.00 % +50\.00 %", text);
        Assert.Matches(@"drop, points \(at most 1\.2\) +50\.00", text);
        Assert.Matches(@"likeliest tokens as fp32's \(of 1,000\) +99\.90 %", text);
        Assert.Matches("nats +0\\.0120", text);
        Assert.Matches("tokens/s, 8 at once +400 +1,23[45]", text);
        Assert.Matches("files +4.0 MB +4.0 MB", text);
        Assert.Matches("memory +3.0 MB +1.0 MB", text);
        Assert.Matches("for auto +yes +no: drop", text);
        Assert.Contains("int8 loses 50.00 points, more than 1.2: `auto` will not take it.", text);
        Assert.Contains("int8 wrong (times): [2]*3 answered '7', right is '6'", text);
        Assert.DoesNotContain("There is no fp32", text);
    }

    [Fact]
    public void Without_fp32_it_says_what_the_others_are_compared_to() =>
    Assert.Contains("There is no fp32 variant: the others are compared to fp16.", Table(Precision.Fp16));

    [Fact]
    public void A_reference_with_8_bit_keys_and_values_is_no_measure_of_what_they_cost()
    {
        Assert.Contains("fp32 keeps keys and values in 8 bits here: what that costs is in no drop.", Table(Precision.Fp32, KvFormat.Int8));
        Assert.DoesNotContain("8 bits", Table(Precision.Fp32));
    }

    [Fact]
    public void The_json_holds_every_variant_and_its_wrong_answers()
    {
        var json = JsonDocument.Parse(EvaluationJson.Of(EvaluationReports.Of(Precision.Fp32, Precision.Int8)).ToJsonString()).RootElement;
        Assert.Equal(("fp32", 1.2), (json.GetProperty("reference").GetString(), json.GetProperty("tolerance").GetDouble()));
        var int8 = json.GetProperty("variants")[1];
        Assert.Equal(("int8", "auto"), (int8.GetProperty("precision").GetString(), int8.GetProperty("kv").GetString()));
        Assert.Equal(0.5, int8.GetProperty("total").GetProperty("accuracy").GetDouble());
        Assert.Equal(0, int8.GetProperty("families").GetProperty("times").GetProperty("accuracy").GetDouble());
        Assert.Equal(50, int8.GetProperty("accuracy_drop").GetDouble());
        Assert.False(int8.GetProperty("within_tolerance").GetBoolean());
        Assert.Equal((0.999, 0.012), (int8.GetProperty("token_agreement").GetDouble(), int8.GetProperty("kl_divergence").GetDouble()));
        Assert.Equal(1234.5, int8.GetProperty("tokens_per_second").GetProperty("8").GetDouble());
        Assert.Equal("[2]*3", int8.GetProperty("wrong")[0].GetProperty("prompt").GetString());
    }

    private static string Table(Precision reference, KvFormat kv = KvFormat.Auto)
    {
        var report = EvaluationReports.Of(reference, Precision.Int8);
        report = report with { Variants = [.. report.Variants.Select(variant => variant with { Variant = variant.Variant with { Kv = kv } })] };
        using StringWriter writer = new();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        console.Profile.Width = 140;
        EvaluationPrinter.WriteTable(report, console);
        return writer.ToString();
    }
}
