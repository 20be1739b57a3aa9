using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Building;
using R1Serverless.Models;
using R1Serverless.Requests;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench</c>: how close the engine and the API come to ONNX Runtime itself, measured in one run on this machine.</summary>
internal static class BenchCommand
{
    private static readonly Option<string[]> Models = new("--model")
    {
        Description = $"Models to measure: names in the repository, {ShippedModels.Nano}, or {BenchOptions.Synthetic} (random weights, made on demand). [default: both]",
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

    private static readonly Option<bool> Json = new("--json") { Description = "Print the rows as JSON instead of tables." };

    private static readonly Option<string?> Data = DataOption.Create();

    private static int[] Concurrencies(ParseResult arguments) =>
        arguments.GetValue(Clients) is { Length: > 0 } named ? named : [1, 8, 32, 64];

    public static Command Create()
    {
        var command = new Command(
            "bench",
            "Measure this machine: raw ONNX Runtime, the engine, and HTTP from a client process, at 1, 8, 32 and 64 requests at once; then mixed lengths.")
        {
            Models, Rounds, Clients, NoHttp, Json, Data, BenchPrecisionCommand.Create(), BenchQueueCommand.Create(), BenchHotSwapCommand.Create(), BenchColdStartCommand.Create(), BenchGpuCommand.Create(),
        };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var options = new BenchOptions(arguments.GetValue(Rounds), !arguments.GetValue(NoHttp), Concurrencies(arguments), DeviceOption.ReadAndTell(arguments));
        var repository = DataFolder.Repository(arguments.GetValue(Data));
        var named = arguments.GetValue(Models) is { Length: > 0 } names ? names : [ShippedModels.Nano, BenchOptions.Synthetic];
        var console = BenchConsole.Create(arguments.GetValue(Json));
        var rows = new List<BenchRow>();
        await console.Status().StartAsync("Preparing the models", async status =>
        {
            foreach (var name in named)
            {
                var folder = await BenchModels.FindAsync(name, repository, [Precision.Fp32], cancellation);
                await using var bench = new ModelBench(folder, options, TimeProvider.System, text => status.Status(text));
                rows.AddRange(await bench.RunAsync(cancellation));
            }
        });
        if (arguments.GetValue(Json)) Console.WriteLine(JsonSerializer.Serialize(rows, BenchJson.Default.ListBenchRow));
        else BenchReport.Print(console, rows);
        return 0;
    }
}
