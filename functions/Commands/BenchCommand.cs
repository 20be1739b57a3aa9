using System.CommandLine;
using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelLoading;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench</c>: how fast a model answers on this machine, and how close that comes to ONNX Runtime itself.</summary>
internal static class BenchCommand
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = "The model: its name in the repository, or its folder.", HelpName = "NAME", DefaultValueFactory = _ => ShippedModels.Nano,
    };

    private static readonly Option<string?> Precision = new("--precision")
    {
        Description = "The variant to measure. [default: the most exact]",
    };

    private static readonly Option<int> Rounds =
        NumberOption.Create("--rounds", 5, 1, 1000, "How often each is measured; medians are printed.");

    static BenchCommand() => Precision.AcceptOnlyFromAmong([.. PrecisionName.All]);

    public static Command Create()
    {
        Command command = new(
            "bench",
            "Measure a model on this machine: time to the first token and tokens per second, beside ONNX Runtime in a bare loop over the same graph.")
        {
            Model, Precision, Rounds, CommonOptions.Json, CommonOptions.Data, BenchServeCommand.Create(), BenchGpuCommand.Create(),
        };
        LoadOption.AddTo(command);
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var runtime = DeviceOption.ReadAndTell(arguments);
        (var clients, var promptTokens, var outputTokens) = LoadOption.Read(arguments);
        ServeOptions named = new() { Models = [arguments.GetRequiredValue(Model)], DataFolder = arguments.GetValue(CommonOptions.Data) };
        var folder = LocalModels.Folders(named, new StatusLines(Console.Error), cancellation).Single();
        var variant = Find(folder, arguments.GetValue(Precision));
        var isJson = arguments.GetValue(CommonOptions.Json);
        var console = TableConsole.Create(isJson);
        BenchReport? report = null;
        await console.Status().StartAsync("Loading", async status =>
        {
            EngineBench bench = new(folder, variant, runtime, TimeProvider.System, text => status.Status(Markup.Escape(text)));
            report = await bench.RunAsync(clients, new PairShape(promptTokens, outputTokens), arguments.GetValue(Rounds), cancellation);
        });
        report!.Print(console, isJson);
        return 0;
    }

    /// <param name="precision">Null for the most exact.</param>
    private static ModelVariant Find(ModelFolder folder, string? precision)
    {
        ModelVariant[] all = [.. folder.Manifest.Variants.OrderBy(variant => variant.Precision)];
        return (precision is null ? all[0] : all.FirstOrDefault(variant => PrecisionName.Of(variant.Precision) == precision))
            ?? throw new InvalidModelException(
                $"{folder.Name} has no {precision} variant; it has {string.Join(", ", all.Select(variant => PrecisionName.Of(variant.Precision)))}.");
    }
}
