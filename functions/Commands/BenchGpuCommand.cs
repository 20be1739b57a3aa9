using System.CommandLine;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelLoading;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench gpu</c>: everything that only a machine with a GPU can prove.</summary>
internal static class BenchGpuCommand
{
    private const int SomethingFailed = 1, NoGpu = 3;

    /// <summary>The only precision for which the CUDA provider has attention over keys and values in 8 bits (as its library's symbols
    /// tell).</summary>
    private static readonly Precision[] WithInt8Kv = [Precision.Fp16];

    private static readonly string[] PartNames = [.. Enum.GetNames<GpuPart>().Select(name => name.ToLowerInvariant())];

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = $"Models to prove it with, by name or folder; may be given several times. [default: {ShippedModels.Nano}]", HelpName = "NAME",
    };

    private static readonly Option<string[]> Only = new("--only")
    {
        Description = "What to check; may be given several times. [default: all]", HelpName = string.Join('|', PartNames),
    };

    private static readonly Option<string?> Output = new("--output")
    {
        Description = "A file for the JSON object, written after each check.", HelpName = "FILE",
    };

    private static readonly Option<bool> Quick = new("--quick") { Description = "With few problems, rounds and rows: whether it runs." };

    /// <summary>To try the checks themselves where there is no GPU.</summary>
    private static readonly Option<DeviceKind> Device = new("--device") { Hidden = true, DefaultValueFactory = _ => DeviceKind.Cuda };

    static BenchGpuCommand() => Only.AcceptOnlyFromAmong(PartNames);

    public static Command Create()
    {
        Command command = new(
            "gpu",
            $"""
            Prove an NVIDIA GPU: answers as the processor's at every precision, slots, batches, CUDA graphs, TF32, a full card, and speed.
            Exit code {NoGpu} where there is none.
            """)
        {
            Models, Only, Quick, Output, CommonOptions.Json, DeviceOption.Gpu, Device, CommonOptions.Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        RuntimeOptions runtime = new()
        {
            Device = arguments.GetValue(Device), Cuda = new CudaOptions { DeviceId = arguments.GetValue(DeviceOption.Gpu) },
        };
        if (runtime.Device == DeviceKind.Cuda && ExecutionProvider.BuiltWithCuda && CudaRequirements.Missing is { } missing)
        {
            await Console.Error.WriteLineAsync($"No GPU to prove: {missing}.");
            return NoGpu;
        }

        ExecutionProvider.Preferred(runtime);
        bool isQuick = arguments.GetValue(Quick), isJson = arguments.GetValue(CommonOptions.Json);
        var names = arguments.GetValue(Only) is { Length: > 0 } wanted ? wanted : PartNames;
        GpuPart[] parts = [.. names.Select(name => Enum.Parse<GpuPart>(name, ignoreCase: true))];
        ModelFolder[] folders = [.. Folders(arguments, cancellation)];
        var console = TableConsole.Create(isJson);
        var output = arguments.GetValue(Output);
        GpuReport? report = null;
        await console.Status().StartAsync("Preparing", async status =>
        {
            GpuOptions options = new(parts, runtime, isQuick);
            report = await new GpuBench(options, folders, TimeProvider.System, text => status.Status(Markup.Escape(text)), Keep).RunAsync(
                cancellation);
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

    /// <summary>The models that were named; the shipped one also with keys and values in 8 bits.</summary>
    private static IEnumerable<ModelFolder> Folders(ParseResult arguments, CancellationToken cancellation)
    {
        ServeOptions named = new() { Models = arguments.GetValue(Models) ?? [], DataFolder = arguments.GetValue(CommonOptions.Data) };
        foreach (var folder in LocalModels.Folders(named, new StatusLines(Console.Error), cancellation))
        {
            yield return folder;
            if (folder.Name == ShippedModels.Nano && ShippedModels.Find(ShippedModels.Nano) is { } checkpoint)
            {
                yield return CommonOptions.Models(arguments).EnsureBuilt(
                    checkpoint, $"{ShippedModels.Nano}-kv8", TimeProvider.System, WithInt8Kv, cancellation: cancellation, kv: KvFormat.Int8);
            }
        }
    }
}
