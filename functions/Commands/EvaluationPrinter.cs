using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Models;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>An evaluation's report for people: a table with a column per variant.</summary>
internal static class EvaluationPrinter
{
    private const int WrongAnswersShown = 5;

    public static void WriteTable(ModelReport report, IAnsiConsole console)
    {
        var table = new Table { Title = new TableTitle($"{Markup.Escape(report.Model)} on {report.Device}") }.Border(TableBorder.Simple)
            .AddColumn("");
        foreach (var variant in report.Variants) table.AddColumn(new TableColumn(Name(variant)).RightAligned());
        var total = report.Reference.Answers.Total;
        foreach (var family in report.Reference.Answers.Families)
            AddRow($"{Markup.Escape(family.Family)} ({family.Tasks} tasks)",
                v => Percent(v.Answers.Families.Single(f => f.Family == family.Family).Accuracy));
        AddRow($"all ({total.Tasks} tasks)", v => Percent(v.Answers.Total.Accuracy));
        table.AddEmptyRow();
        AddRow($"drop, points (at most {Number(report.Tolerance, "0.##")})", v => Compared(v, Number(report.Drop(v), "0.00")));
        AddRow(
            $"likeliest tokens as {Name(report.Reference)}'s (of {Number(report.Variants[^1].Agreement.Tokens, "N0")})",
            v => Compared(v, Percent(v.Agreement.TokenShare)));
        AddRow("divergence of the next token, nats",
            v => Compared(v, Number(v.Agreement.MeanDivergence, v.Agreement.MeanDivergence < 0.001 ? "0.0e-0" : "0.0000")));
        foreach (var rows in report.Reference.TokensPerSecond.Keys) AddRow($"tokens/s, {rows} at once", v => Number(v.TokensPerSecond[rows], "N0"));
        AddRow("files", v => DisplayFormat.Bytes(v.Variant.Bytes));
        AddRow("memory", v => DisplayFormat.Bytes(v.MemoryBytes));
        AddRow("for auto", v => report.Evaluation(v).IsWithinTolerance ? "yes" : "no: drop");
        console.Write(table);
        WriteNotes(report, console);

        void AddRow(string name, Func<VariantReport, string> cell) => table.AddRow([name, .. report.Variants.Select(cell)]);

        string Compared(VariantReport variant, string cell) => variant == report.Reference ? "" : cell;
    }

    private static void WriteNotes(ModelReport report, IAnsiConsole console)
    {
        if (report.Reference.Variant.Precision != Precision.Fp32)
            console.WriteLine($"There is no fp32 variant: the others are compared to {Name(report.Reference)}.");
        if (report.Reference.Variant.Kv == KvFormat.Int8)
            console.WriteLine(
                $"{Name(report.Reference)} keeps keys and values in 8 bits here: what that costs is in no drop. A model built with `--kv auto` "
                + "tells it.");
        foreach (var variant in report.Variants)
        {
            if (!report.Evaluation(variant).IsWithinTolerance)
                console.WriteLine(
                    $"{Name(variant)} loses {Number(report.Drop(variant), "0.00")} points, more than {Number(report.Tolerance, "0.##")}: `auto` "
                    + "will not take it.");
            if (variant.Answers.Answers.FirstOrDefault(a => a.Error is not null) is { Error: { } error })
                console.WriteLine($"{Name(variant)}: {variant.Answers.Total.Errors} requests failed, the first with: {error.Message}");
            foreach (var wrong in variant.Answers.Answers.Where(a => !a.IsRight && a.Error is null).Take(WrongAnswersShown))
                console.WriteLine(
                    $"{Name(variant)} wrong ({wrong.Task.Family}): {wrong.Task.Prompt} answered '{wrong.Text}', right is '{wrong.Task.Answer}'");
        }
    }

    private static string Name(VariantReport variant) => PrecisionName.Of(variant.Variant.Precision);

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>Rounded down: 99.996 % is not 100.</summary>
    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(share * 10000) / 100:F2} %");
}
