using System.CommandLine;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models.Folders;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench throughput</c>: how close the engine and the API come to ONNX Runtime itself, measured in one run on this machine.</summary>
internal static class ThroughputCommand
{
    private static readonly Option<string[]> Models = new("--model")
    {
        Description =
            $"Models to measure: names in the repository, {ShippedModels.Nano}, or {MeasuredModels.Synthetic} (random weights, made on demand). "
            + "[default: both]",
    };

    private static readonly Option<int> Rounds = NumberOption.Bound(new Option<int>("--rounds")
    {
        Description = "How often each way is measured; medians are printed.", HelpName = "N", DefaultValueFactory = _ => 7,
    }, 1, 1000);

    private static readonly Option<int[]> Clients = NumberOption.Bound(new Option<int[]>("--clients")
    {
        Description = "How many requests at once, 1 to 1024; may be given several times. [default: 1, 8, 32 and 64]", HelpName = "N",
    }, 1, 1024);

    private static readonly Option<bool> NoHttp = new("--no-http") { Description = "Leave out the server and the client process." };

    private static readonly Option<string?> Executable = ExecutableOption.Create();

    private static readonly Option<bool> Json = new("--json") { Description = "Print the rows as JSON instead of tables." };

    private static readonly Option<string?> Data = CommonOptions.Data;

    private static int[] Concurrencies(ParseResult arguments) =>
        arguments.GetValue(Clients) is { Length: > 0 } named ? named : [1, 8, 32, 64];

    public static Command Create()
    {
        var command = new Command(
            "throughput",
            "Measure this machine: raw ONNX Runtime, the engine, and HTTP from a client process, at 1, 8, 32 and 64 requests at once; then mixed "
            + "lengths.")
        {
            Models, Rounds, Clients, NoHttp, Executable, Json, Data,
        };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var options =
            new ThroughputOptions(arguments.GetValue(Rounds), !arguments.GetValue(NoHttp), arguments.GetValue(Executable), Concurrencies(arguments),
                DeviceOption.ReadAndTell(arguments));
        var repository = DataFolder.Repository(arguments.GetValue(Data));
        var named = arguments.GetValue(Models) is { Length: > 0 } names ? names : [ShippedModels.Nano, MeasuredModels.Synthetic];
        var console = TableConsole.Create(arguments.GetValue(Json));
        var rows = new List<ThroughputRow>();
        await console.Status().StartAsync("Preparing the models", async status =>
        {
            foreach (var name in named)
            {
                var folder = await MeasuredModels.FindAsync(name, repository, [Precision.Fp32], cancellation);
                await using var bench = new ThroughputBench(folder, options, TimeProvider.System, text => status.Status(text));
                rows.AddRange(await bench.RunAsync(cancellation));
            }
        });
        if (arguments.GetValue(Json)) Console.WriteLine(JsonSerializer.Serialize(rows, BenchmarkJson.Default.ListThroughputRow));
        else ThroughputReport.Print(console, rows);
        return 0;
    }
}
