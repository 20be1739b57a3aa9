using System.CommandLine;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench queue</c>: what the way through the queue costs, and how busy it keeps the engine.</summary>
internal static class QueueCommand
{
    private static readonly string[] AllParts = ["latency", "rates", "drain"];

    private static readonly Option<string[]> Models = new("--model")
    {
        Description =
            $"Models to drain a backlog with: names in the repository, {ShippedModels.Nano}, or {MeasuredModels.Synthetic} (random weights, made on "
            + "demand). [default: both]",
        HelpName = "NAME",
    };

    private static readonly Option<int> Rounds =
        NumberOption.Bound(
        new Option<int>("--rounds")
        {
            Description = "How often each is measured; medians are printed.", HelpName = "N",
            DefaultValueFactory = _ => 5
        }, 1, 1000);

    private static readonly Option<int> Requests =
        NumberOption.Bound(
        new Option<int>("--requests") { Description = "Requests of the backlog, 1 to 100,000.", HelpName = "N", DefaultValueFactory = _ => 2000 }, 1,
        100_000);

    private static readonly Option<string[]> Parts = CreateParts();

    private static readonly Option<string?> Executable = ExecutableOption.Create();

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of tables." };

    private static readonly Option<string?> Data = CommonOptions.Data;

    public static Command Create()
    {
        Command command = new(
            "queue",
            "Measure the queue: what a gateway and a worker add to a short request, the embedded queue's own rates, and a worker's engine while it "
            + "drains a backlog, beside the same engine without a queue.")
        {
            Models, Rounds, Requests, Parts, Executable, Json, Data,
        };
        TransportOption.AddTo(command);
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var isJson = arguments.GetValue(Json);
        var console = TableConsole.Create(isJson);
        QueueReport? report = null;
        await console.Status()
            .StartAsync("Preparing",
            async status => report = await MeasureAsync(arguments, text => status.Status(Markup.Escape(text)), cancellation));
        if (isJson) Console.WriteLine(JsonSerializer.Serialize(report!, BenchmarkJson.Default.QueueReport));
        else QueueBenchPrinter.Print(console, report!);
        return 0;
    }

    private static async Task<QueueReport> MeasureAsync(ParseResult arguments, Action<string> progress, CancellationToken cancellation)
    {
        int rounds = arguments.GetValue(Rounds), requests = arguments.GetValue(Requests);
        var runtime = DeviceOption.ReadAndTell(arguments);
        var repository = DataFolder.Repository(arguments.GetValue(Data));
        var names = arguments.GetValue(Models) is { Length: > 0 } named ? named : [ShippedModels.Nano, MeasuredModels.Synthetic];
        IReadOnlyList<string> parts = arguments.GetValue(Parts) is { Length: > 0 } wanted ? wanted : AllParts;
        var latency = parts.Contains("latency") ? await MeasureLatencyAsync(arguments, names[0], rounds, progress, cancellation) : null;
        var rates = parts.Contains("rates") ? await new QueueRatesBench(rounds, TimeProvider.System, progress).RunAsync(cancellation) : null;
        List<QueueDrain> drains = [];
        foreach (var name in parts.Contains("drain") ? names : [])
        {
            var folder = await MeasuredModels.FindAsync(name, repository, [Precision.Fp32], cancellation);
            await using QueueDrainBench bench = new(folder, runtime, TimeProvider.System, progress);
            drains.Add(await bench.RunAsync(requests, rounds, cancellation));
        }

        return new QueueReport(latency, rates, drains);
    }

    private static async Task<QueueLatency> MeasureLatencyAsync(ParseResult arguments, string model, int rounds, Action<string> progress,
        CancellationToken cancellation)
    {
        var transport = TransportOption.Read(arguments, data: null);
        if (Transports.Refusal(transport) is { } refusal) throw new InvalidDataException(refusal);
        var folder = await MeasuredModels.FindAsync(model, DataFolder.Repository(arguments.GetValue(Data)), [Precision.Fp32], cancellation);
        return await new QueueLatencyBench(arguments.GetValue(Executable), folder, DeviceOption.Read(arguments).Device, transport,
            TimeProvider.System, progress).RunAsync(rounds, cancellation);
    }

    private static Option<string[]> CreateParts()
    {
        Option<string[]> option =
            new("--only") { Description = "What to measure; may be given several times. [default: all]", HelpName = string.Join('|', AllParts) };
        option.AcceptOnlyFromAmong(AllParts);
        return option;
    }
}
