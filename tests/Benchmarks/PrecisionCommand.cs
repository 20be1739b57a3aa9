using System.CommandLine;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Models.Folders;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench precision</c>: what each variant of a model gains, beside FP32 and beside the speed of this machine's memory.</summary>
internal static class PrecisionCommand
{
    private const int MaxRows = 1024;

    private static readonly Option<string> Model = new("--model")
    {
        Description =
            $"The model: a name in the repository, or {MeasuredModels.Synthetic} or {MeasuredModels.Large} (random weights, made on demand: about "
            + "50 million parameters, and the "
            + "shape of DeepSeek-R1-Distill-Qwen-1.5B).",
        HelpName = "NAME", DefaultValueFactory = _ => MeasuredModels.Synthetic,
    };

    private static readonly Option<string[]> Precisions = new("--precision")
    {
        Description =
            "Variants to measure, with commas between them. Where fp32 is among them, the others are compared to it. [default: all; for "
            + $"{MeasuredModels.Large} int8]",
        HelpName = "fp32,fp16,int8,int4",
    };

    private static readonly Option<string> Rows = new("--rows")
    {
        Description = $"How many sequences a step decodes at once, with commas between them, up to {MaxRows}; 1 is always measured.",
        HelpName = "1,8,…", DefaultValueFactory = _ => "1,8,16,32",
    };

    private static readonly Option<int> Rounds =
        NumberOption.Bound(
        new Option<int>("--rounds")
        {
            Description = "How often each is measured; medians are printed.", HelpName = "N",
            DefaultValueFactory = _ => 5
        }, 1, 1000);

    private static readonly Option<bool> NoEngine = new("--no-engine") { Description = "Leave out the engine: the bare loop alone." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of tables." };

    private static readonly Option<string?> Data = CommonOptions.Data;

    public static Command Create()
    {
        Command command = new(
            "precision",
            "Measure a model's variants: load time, memory, tokens/s by rows, and in the same run how fast this machine reads memory, which bounds "
            + "the speed at one row.")
        {
            Model, Precisions, Rows, Rounds, NoEngine, Json, Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var name = arguments.GetRequiredValue(Model);
        var precisions = CommonOptions.ParsePrecisions(arguments.GetValue(Precisions));
        if (precisions.Count == 0 && name == MeasuredModels.Large) precisions = [Precision.Int8];
        PrecisionOptions options =
            new(precisions, ParseRows(arguments.GetRequiredValue(Rows)), arguments.GetValue(Rounds), !arguments.GetValue(NoEngine));
        var repository = DataFolder.Repository(arguments.GetValue(Data));
        var isJson = arguments.GetValue(Json);
        var console = TableConsole.Create(isJson);
        PrecisionReport? report = null;
        await console.Status().StartAsync($"Preparing {name}", async status =>
        {
            var folder =
                await MeasuredModels.FindAsync(name, repository, precisions.Count > 0 ? precisions : Enum.GetValues<Precision>(), cancellation);
            PrecisionBench bench = new(folder, options, TimeProvider.System, text => status.Status(Markup.Escape(text)));
            report = await bench.RunAsync(SyntheticModel.Cost(folder), cancellation);
        });
        if (isJson) Console.WriteLine(JsonSerializer.Serialize(report!, BenchmarkJson.Default.PrecisionReport));
        else PrecisionPrinter.Print(console, report!);
        return 0;
    }

    private static IReadOnlyList<int> ParseRows(string text) =>
    [
        .. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(number => int.TryParse(number, out var rows) && rows is >= 1 and <= MaxRows
                ? rows
                : throw new InvalidDataException($"--rows: '{number}' is no number from 1 to {MaxRows}."))
            .Append(1).Distinct().Order(),
    ];
}
