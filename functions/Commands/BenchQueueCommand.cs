using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Building;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench queue</c>: what the way through the queue costs, and how busy it keeps the engine.</summary>
internal static class BenchQueueCommand
{
    private static readonly string[] AllParts = ["latency", "rates", "drain"];

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = $"Models to drain a backlog with: names in the repository, {ShippedModels.Nano}, or {BenchOptions.Synthetic} (random weights, made on demand). [default: both]",
        HelpName = "NAME",
    };

    private static readonly Option<int> Rounds = NumberOption.Bound(new Option<int>("--rounds") { Description = "How often each is measured; medians are printed.", HelpName = "N", DefaultValueFactory = _ => 5 }, 1, 1000);

    private static readonly Option<int> Requests = NumberOption.Bound(new Option<int>("--requests") { Description = "Requests of the backlog, 1 to 100,000.", HelpName = "N", DefaultValueFactory = _ => 2000 }, 1, 100_000);

    private static readonly Option<string[]> Parts = CreateParts();

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of tables." };

    private static readonly Option<string?> Data = DataOption.Create();

    public static Command Create()
    {
        Command command = new(
            "queue",
            "Measure the queue: what a gateway and a worker add to a short request, the embedded queue's own rates, and a worker's engine while it drains a backlog, beside the same engine without a queue.")
        {
            Models, Rounds, Requests, Parts, Json, Data,
        };
        TransportOption.AddTo(command);
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        bool isJson = arguments.GetValue(Json);
        IAnsiConsole console = BenchConsole.Create(isJson);
        QueueReport? report = null;
        await console.Status().StartAsync("Preparing", async status => report = await MeasureAsync(arguments, text => status.Status(Markup.Escape(text)), cancellation));
        if (isJson) Console.WriteLine(JsonSerializer.Serialize(report!, BenchJson.Default.QueueReport));
        else QueueBenchPrinter.Print(console, report!);
        return 0;
    }

    private static async Task<QueueReport> MeasureAsync(ParseResult arguments, Action<string> progress, CancellationToken cancellation)
    {
        int rounds = arguments.GetValue(Rounds), requests = arguments.GetValue(Requests);
        RuntimeOptions runtime = DeviceOption.ReadAndTell(arguments);
        ModelRepository repository = DataFolder.Repository(arguments.GetValue(Data));
        string[] names = arguments.GetValue(Models) is { Length: > 0 } named ? named : [ShippedModels.Nano, BenchOptions.Synthetic];
        IReadOnlyList<string> parts = arguments.GetValue(Parts) is { Length: > 0 } wanted ? wanted : AllParts;
        QueueLatency? latency = parts.Contains("latency") ? await MeasureLatencyAsync(arguments, names[0], rounds, progress, cancellation) : null;
        QueueRates? rates = parts.Contains("rates") ? await new QueueRatesBench(rounds, TimeProvider.System, progress).RunAsync(cancellation) : null;
        List<QueueDrain> drains = [];
        foreach (string name in parts.Contains("drain") ? names : [])
        {
            ModelFolder folder = await BenchModels.FindAsync(name, repository, [Precision.Fp32], cancellation);
            await using QueueDrainBench bench = new(folder, runtime, TimeProvider.System, progress);
            drains.Add(await bench.RunAsync(requests, rounds, cancellation));
        }

        return new QueueReport(latency, rates, drains);
    }

    private static async Task<QueueLatency> MeasureLatencyAsync(ParseResult arguments, string model, int rounds, Action<string> progress, CancellationToken cancellation)
    {
        TransportOptions transport = TransportOption.Read(arguments, data: null);
        if (Transports.Refusal(transport) is { } refusal) throw new InvalidDataException(refusal);
        ModelFolder folder = await BenchModels.FindAsync(model, DataFolder.Repository(arguments.GetValue(Data)), [Precision.Fp32], cancellation);
        return await new QueueLatencyBench(folder, DeviceOption.Read(arguments).Device, transport, TimeProvider.System, progress).RunAsync(rounds, cancellation);
    }

    private static Option<string[]> CreateParts()
    {
        Option<string[]> option = new("--only") { Description = "What to measure; may be given several times. [default: all]", HelpName = string.Join('|', AllParts) };
        option.AcceptOnlyFromAmong(AllParts);
        return option;
    }
}
