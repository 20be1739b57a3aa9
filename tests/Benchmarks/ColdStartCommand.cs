using System.CommandLine;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Commands;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench cold-start</c>: from the start of a fresh process to its first token, phase by phase.</summary>
internal static class ColdStartCommand
{
    private const string Publish = "dotnet publish functions -c Release -o DIR";

    private static readonly Option<string[]> Models = new("--model")
    {
        Description =
            $"The models, each NAME or NAME:PRECISION; may be given several times. {MeasuredModels.Large} is made on demand (1.8 GB, as much again "
            + $"prepared). [default: {ShippedModels.Nano}:fp32 and {MeasuredModels.Large}:int8]",
        HelpName = "NAME",
    };

    private static readonly Option<int> Rounds =
        NumberOption.Bound(
        new Option<int>("--rounds")
        {
            Description = "How often each way is started; medians are printed.", HelpName = "N",
            DefaultValueFactory = _ => 5
        }, 1, 1000);

    private static readonly Option<string?> Executable = ExecutableOption.Create(required: true);

    private static readonly Option<string> Device = ServerDevice.Create();

    private static readonly Option<bool> WarmOnly =
        new("--warm-only") { Description = "Leave out the starts for which the model's files are dropped from the page cache." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON list instead of tables." };

    private static readonly Option<string?> Data = CommonOptions.Data;

    public static Command Create()
    {
        Command command = new(
            "cold-start", "Start fresh processes of a published r1, with plain and prepared models, warmed up and not, with warm and cold files, "
            + "and print when each step was reached.")
        {
            Models, Rounds, Executable, Device, WarmOnly, Json, Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        string executable = Published(arguments.GetRequiredValue(Executable)!), device = arguments.GetRequiredValue(Device);
        var named = arguments.GetValue(Models) is { Length: > 0 } models ? models
            : [$"{ShippedModels.Nano}:fp32", $"{MeasuredModels.Large}:int8"];
        var rounds = arguments.GetValue(Rounds);
        var isJson = arguments.GetValue(Json);
        var repository = DataFolder.Repository(arguments.GetValue(Data));
        var console = TableConsole.Create(isJson);
        List<ColdStartRow> rows = [];
        await console.Status().StartAsync("Preparing the models", async status =>
        {
            foreach (var one in named)
            {
                (var folder, var variant) = await FindAsync(one, repository, text => status.Status(Markup.Escape(text)), cancellation);
                ColdStartBench bench = new(executable, device, folder, variant, rounds, text => status.Status(Markup.Escape(text)));
                if (device == ServerDevice.Cpu)
                    await PrepareAsync(executable, folder, variant, text => status.Status(Markup.Escape(text)), cancellation);
                foreach (var way in Ways(device, !arguments.GetValue(WarmOnly) && OperatingSystem.IsLinux()))
                    rows.Add(await bench.MeasureAsync(way, cancellation));
            }
        });
        if (isJson) Console.WriteLine(JsonSerializer.Serialize(rows, BenchmarkJson.Default.ListColdStartRow));
        else ColdStartPrinter.Print(console, rows, await RestCost.MeasureAsync(ColdStartBench.Rest, TimeProvider.System, cancellation));
        return 0;
    }

    /// <summary>Only the processor has prepared models.</summary>
    private static IEnumerable<ColdStartWay> Ways(string device, bool withCold) =>
        from cold in withCold ? (bool[])[false, true] : [false]
        from way in (ColdStartWay[])[new(false, true, cold), new(true, true, cold), new(true, false, cold)]
        where device == ServerDevice.Cpu || !way.Prepared
        select way;

    /// <exception cref="BenchException">The executable is no published one.</exception>
    private static string Published(string named)
    {
        var path = Path.GetFullPath(named);
        var runtime = OperatingSystem.IsWindows() ? "coreclr.dll" : OperatingSystem.IsMacOS() ? "libcoreclr.dylib" : "libcoreclr.so";
        // A published one brings its runtime, and is compiled ahead of time; from the build's output a start takes more than twice as long.
        return File.Exists(path) && File.Exists(Path.Combine(Path.GetDirectoryName(path)!, runtime))
            ? path
            : throw new BenchException($"{path} is not a published r1, and what is not published starts slowly: {Publish}");
    }

    private static async Task<(ModelFolder Folder, ModelVariant Variant)> FindAsync(string named, ModelRepository repository,
        Action<string> progress, CancellationToken cancellation)
    {
        var colon = named.LastIndexOf(':');
        var name = colon < 0 ? named : named[..colon];
        var precision = colon < 0 ? Precision.Fp32
            : PrecisionName.Find(named[(colon + 1)..])
            ?? throw new InvalidDataException($"--model {named}: the precisions are {string.Join(", ", PrecisionName.All)}.");
        progress($"Building {name}");
        var folder = await MeasuredModels.FindAsync(name, repository, [precision], cancellation);
        var variant = folder.Manifest.Variants.FirstOrDefault(one => one.Precision == precision)
            ?? throw new InvalidDataException($"--model {named}: {name} has no such variant.");
        return (folder, variant);
    }

    private static async Task PrepareAsync(string executable, ModelFolder folder, ModelVariant variant, Action<string> progress,
        CancellationToken cancellation)
    {
        if (PreparedFolder.Detect(folder, variant, new RuntimeOptions { Device = DeviceKind.Cpu }).Path is not null) return;
        var precision = PrecisionName.Of(variant.Precision);
        progress($"Preparing {folder.Name}:{precision}");
        await ChildProcess.ReadAsync(
            ChildProcess.StartR1(executable, ChildProcess.NoSettings, "model", "prepare", folder.Path, "--precision", precision, "--device",
            ServerDevice.Cpu), cancellation);
    }
}
