using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models.Folders;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench hot-swap</c>: what streams notice of a change to another version.</summary>
internal static class HotSwapCommand
{
    private const int Failed = 1;

    private static readonly Option<string> Model = new("--model")
    {
        Description = $"The model: a name in the repository, {ShippedModels.Nano}, or {MeasuredModels.Synthetic} (random weights, made on demand).",
        HelpName = "NAME", DefaultValueFactory = _ => ShippedModels.Nano,
    };

    private static readonly Option<int> Streams =
        NumberOption.Bound(
            new Option<int>("--streams") { Description = "Streams at once, 1 to 1024.", HelpName = "N", DefaultValueFactory = _ => 32 }, 1, 1024);

    private static readonly Option<int> Tokens =
        NumberOption.Bound(
        new Option<int>("--tokens")
        {
            Description = "Tokens of the shortest stream, 1 to 1000; the longest have nearly twice as many.",
            HelpName = "N", DefaultValueFactory = _ => 200
        }, 1, 1000);

    private static readonly Option<int> Pause =
        NumberOption.Bound(
        new Option<int>("--pause")
        {
            Description = "Seconds before the first change and after each.", HelpName = "SECONDS",
            DefaultValueFactory = _ => 5
        }, 1, 3600);

    private static readonly Option<string> Device = ServerDevice.Create();

    private static readonly Option<string?> Executable = ExecutableOption.Create();

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of a table." };

    private static readonly Option<string?> Data = CommonOptions.Data;

    public static Command Create()
    {
        Command command = new(
            "hot-swap",
            "Change a model's version under streams: to a good one, to one that does not load, to one that is not accurate enough, and back; and "
            + "measure what the streams notice.")
        {
            Model, Streams, Tokens, Pause, Device, Executable, Json, Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        HotSwapOptions options = new(
            arguments.GetValue(Streams), PromptTokens: 32, arguments.GetValue(Tokens), TimeSpan.FromSeconds(arguments.GetValue(Pause)),
            arguments.GetRequiredValue(Device), arguments.GetValue(Executable));
        var console = TableConsole.Create(arguments.GetValue(Json));
        var folder =
            await MeasuredModels.FindAsync(arguments.GetRequiredValue(Model), DataFolder.Repository(arguments.GetValue(Data)), [Precision.Fp32],
                cancellation);
        HotSwapReport? report = null;
        await console.Status()
            .StartAsync("steady",
            async status =>
            report = await new HotSwapBench(folder, options, TimeProvider.System, text => status.Status(Markup.Escape(text))).RunAsync(cancellation));
        if (arguments.GetValue(Json)) Console.WriteLine(JsonSerializer.Serialize(report!, BenchmarkJson.Default.HotSwapReport));
        else Print(console, report!);
        return report!.Failures == 0 ? 0 : Failed;
    }

    private static void Print(IAnsiConsole console, HotSwapReport report)
    {
        Table table = new() { Title = new TableTitle($"{Markup.Escape(report.Model)}, {report.Streams} streams at once, without a pause") };
        foreach (var column in (string[])["", "requests", "failed", "first token p50 / p99 / max ms", "gap p50 / p99 / max ms", "after, s"])
            table.AddColumn(column);
        foreach (var row in report.Phases)
        {
            table.AddRow(
                Markup.Escape(row.Name), $"{row.Requests}", $"{row.Failures}", Times(row.FirstToken, row.MaxFirstToken), Times(row.Gap, row.MaxGap),
                row.SwapSeconds is { } seconds ? seconds.ToString("0.00", CultureInfo.InvariantCulture) : "");
        }

        console.Write(table);
        foreach (var row in report.Phases.Where(row => row.Reason is not null)) console.WriteLine($"{row.Name}: {row.Reason}");
        foreach (var row in report.Phases.Where(row => row.Fault is not null)) console.WriteLine($"{row.Name} failed: {row.Fault}");
        console.WriteLine(
            string.Create(CultureInfo.InvariantCulture,
            $"0 failures and no gap above {HotSwapReport.LargestGap:0} ms: {(report.IsHeld ? "held" : "missed")}"));
    }

    private static string Times(Percentiles p, double max) => string.Create(CultureInfo.InvariantCulture, $"{p.P50:0.0} / {p.P99:0.0} / {max:0.0}");
}
