using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Building;
using R1Serverless.Models;
using R1Serverless.Runtime;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench gpu</c>: everything that only a machine with a GPU can prove.</summary>
internal static class BenchGpuCommand
{
    private const int SomethingFailed = 1, NoGpu = 3;

    private static readonly string[] AllModels = [ShippedModels.Nano, BenchOptions.Synthetic, BenchOptions.Large];

    private static readonly string[] PartNames = [.. Enum.GetNames<GpuPart>().Select(name => name.ToLowerInvariant())];

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = $"Models to prove it with; may be given several times. [default: {string.Join(", ", AllModels)}; the latter two are made on demand, of random weights]", HelpName = "NAME",
    };

    private static readonly Option<string[]> Only = CreateOnly();

    private static readonly Option<string?> Output = new("--output") { Description = "A file for the JSON object, written after each check.", HelpName = "FILE" };

    private static readonly Option<bool> Quick = new("--quick") { Description = $"{ShippedModels.Nano} alone, with few problems, rounds and rows: whether it runs." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of tables." };

    private static readonly Option<int> Gpu = NumberOption.Bound(new Option<int>("--gpu") { Description = "Which CUDA device, from 0.", HelpName = "N", DefaultValueFactory = _ => 0 }, 0, 63);

    /// <summary>To try the checks themselves where there is no GPU.</summary>
    private static readonly Option<DeviceKind> Device = new("--device") { Hidden = true, DefaultValueFactory = _ => DeviceKind.Cuda };

    private static readonly Option<string?> Data = DataOption.Create();

    public static Command Create()
    {
        Command command = new(
            "gpu", $"Prove an NVIDIA GPU: answers as the processor's at every precision, slots, batches, CUDA graphs, TF32, a full card, hot swap, start and speed. Exit code {NoGpu} where there is none.")
        {
            Models, Only, Quick, Output, Json, Gpu, Device, Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        RuntimeOptions runtime = new() { Device = arguments.GetValue(Device), Cuda = new CudaOptions { DeviceId = arguments.GetValue(Gpu) } };
        if (runtime.Device == DeviceKind.Cuda && ExecutionProvider.BuiltWithCuda && CudaRequirements.Missing is { } missing)
        {
            await Console.Error.WriteLineAsync($"No GPU to prove: {missing}.");
            return NoGpu;
        }

        ExecutionProvider.Preferred(runtime);
        bool isQuick = arguments.GetValue(Quick), isJson = arguments.GetValue(Json);
        string[] models = arguments.GetValue(Models) is { Length: > 0 } named ? named : isQuick ? [ShippedModels.Nano] : AllModels;
        GpuPart[] parts = [.. (arguments.GetValue(Only) is { Length: > 0 } wanted ? wanted : PartNames).Select(name => Enum.Parse<GpuPart>(name, ignoreCase: true))];
        IAnsiConsole console = BenchConsole.Create(isJson);
        string? output = arguments.GetValue(Output);
        GpuReport? report = null;
        await console.Status().StartAsync("Preparing", async status =>
        {
            GpuBench bench = new(new GpuOptions(models, parts, runtime, isQuick), DataFolder.Repository(arguments.GetValue(Data)), TimeProvider.System, text => status.Status(Markup.Escape(text)), Keep);
            report = await bench.RunAsync(cancellation);
        });
        Keep(report!);
        if (isJson) Console.WriteLine(JsonSerializer.Serialize(report!, BenchJson.Default.GpuReport));
        else GpuPrinter.Print(console, report!);
        return report!.IsPassed ? 0 : SomethingFailed;

        void Keep(GpuReport sofar)
        {
            if (output is not null) File.WriteAllText(output, JsonSerializer.Serialize(sofar, BenchJson.Default.GpuReport));
        }
    }

    private static Option<string[]> CreateOnly()
    {
        Option<string[]> option = new("--only") { Description = "What to check; may be given several times. [default: all]", HelpName = string.Join('|', PartNames) };
        option.AcceptOnlyFromAmong(PartNames);
        return option;
    }
}
