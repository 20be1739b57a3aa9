using System.Globalization;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Models;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>The evaluation of a model over tensors, for people and for programs.</summary>
internal static class TensorEvaluationPrinter
{
    /// <summary>A table with a column per variant.</summary>
    public static void WriteTable(TensorReport report, IAnsiConsole console)
    {
        var (variants, exact) = (report.Variants, report.Variants[0].Evaluation);
        var table = new Table { Title = new TableTitle($"{Markup.Escape(report.Model)} on {exact.Device}") }.Border(TableBorder.Simple)
            .AddColumn("");
        foreach (var (variant, _) in variants) table.AddColumn(new TableColumn(PrecisionName.Of(variant.Precision)).RightAligned());
        var (name, measure) = (PrecisionName.Of(variants[0].Variant.Precision), $"the same {Word(report.Measure)}");
        AddRow($"{measure} as {name}'s, % (of {report.Samples} samples)", one => Number(100 * one.Accuracy, "0.00"));
        for (var level = 1; level < exact.Noise!.Count; level++)
            AddRow($"  with noise {Number(exact.Noise[level].Sigma, "0.###")}", one => Number(100 * one.Noise![level].Agreement ?? 0, "0.00"));
        AddRow($"drop, points (at most {Number(exact.Tolerance, "0.##")})", one => Number(one.AccuracyDrop, "0.00"));
        for (var level = 1; level < exact.Noise.Count; level++)
            AddRow($"  with noise {Number(exact.Noise[level].Sigma, "0.###")}", one => Number(one.Noise![level].AccuracyDrop, "0.00"));
        foreach (var atOnce in exact.TokensPerSecond.Keys) AddRow($"requests/s, {atOnce} at once", one => Number(one.TokensPerSecond[atOnce], "N0"));
        table.AddRow(["files", .. variants.Select(one => DisplayFormat.Bytes(one.Variant.Bytes))]);
        AddRow("for auto", one => one.IsWithinTolerance ? "yes" : "no: drop");
        console.Write(table);
        if (exact.Noise.Count > 1)
            console.WriteLine($"Without noise added, samples have {Number(exact.Noise[0].Sigma, "0.###")}; noise is in the unit of the inputs.");

        void AddRow(string row, Func<VariantEvaluation, string> cell) => table.AddRow([row, .. variants.Select(one => cell(one.Evaluation))]);
    }

    public static JsonObject Json(TensorReport report) => new()
    {
        ["model"] = report.Model,
        ["device"] = report.Variants[0].Evaluation.Device,
        ["reference"] = PrecisionName.Of(report.Variants[0].Variant.Precision),
        ["samples"] = report.Samples,
        ["compared_by"] = Word(report.Measure),
        ["tolerance"] = report.Variants[0].Evaluation.Tolerance,
        ["variants"] = new JsonArray([.. report.Variants.Select(one => Variant(one.Variant, one.Evaluation))]),
    };

    private static string Word(AnswerMeasure measure) => measure.ToString().ToLowerInvariant();

    private static JsonObject Variant(ModelVariant variant, VariantEvaluation evaluation) => new()
    {
        ["precision"] = PrecisionName.Of(variant.Precision),
        ["agreement"] = Math.Round(evaluation.Accuracy, 6),
        ["accuracy_drop"] = Math.Round(evaluation.AccuracyDrop, 3),
        ["within_tolerance"] = evaluation.IsWithinTolerance,
        ["noise"] = new JsonArray([.. evaluation.Noise!.Select(point => new JsonObject
        {
            ["sigma"] = Math.Round(point.Sigma, 6), ["accuracy_drop"] = Math.Round(point.AccuracyDrop, 3),
            ["agreement"] = Math.Round(point.Agreement ?? 0, 6),
        })]),
        ["requests_per_second"] = new JsonObject(evaluation.TokensPerSecond.Select(rate =>
            KeyValuePair.Create(rate.Key.ToString(CultureInfo.InvariantCulture), (JsonNode?)Math.Round(rate.Value, 1)))),
        ["bytes"] = variant.Bytes,
    };

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
