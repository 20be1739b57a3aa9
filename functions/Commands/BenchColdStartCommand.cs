using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Building;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench cold-start</c>: from the start of a fresh process to its first token, phase by phase.</summary>
internal static class BenchColdStartCommand
{
    private const string Publish = "dotnet publish functions -c Release -o DIR && DIR/r1 bench cold-start";

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = $"The models, each NAME or NAME:PRECISION; may be given several times. {BenchOptions.Large} is made on demand (1.8 GB, as much again prepared). [default: {ShippedModels.Nano}:fp32 and {BenchOptions.Large}:int8]",
        HelpName = "NAME",
    };

    private static readonly Option<int> Rounds = NumberOption.Bound(new Option<int>("--rounds") { Description = "How often each way is started; medians are printed.", HelpName = "N", DefaultValueFactory = _ => 5 }, 1, 1000);

    private static readonly Option<string?> Executable = new("--executable") { Description = "The published r1 to start. [default: this one]", HelpName = "FILE" };

    private static readonly Option<bool> WarmOnly = new("--warm-only") { Description = "Leave out the starts for which the model's files are dropped from the page cache." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON list instead of tables." };

    private static readonly Option<string?> Data = DataOption.Create();

    public static Command Create()
    {
        Command command = new(
            "cold-start", "Start fresh processes of a published r1, with plain and prepared models, prewarmed and not, with warm and cold files, and print when each step was reached.")
        {
            Models, Rounds, Executable, WarmOnly, Json, Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        string executable = Published(arguments.GetValue(Executable));
        string[] named = arguments.GetValue(Models) is { Length: > 0 } models ? models : [$"{ShippedModels.Nano}:fp32", $"{BenchOptions.Large}:int8"];
        int rounds = arguments.GetValue(Rounds);
        bool isJson = arguments.GetValue(Json);
        ModelRepository repository = DataFolder.Repository(arguments.GetValue(Data));
        IAnsiConsole console = BenchConsole.Create(isJson);
        List<ColdStartRow> rows = [];
        await console.Status().StartAsync("Preparing the models", async status =>
        {
            foreach (string one in named)
            {
                (ModelFolder folder, ModelVariant variant) = await FindAsync(one, repository, text => status.Status(Markup.Escape(text)), cancellation);
                ColdStartBench bench = new(executable, folder, variant, rounds, text => status.Status(Markup.Escape(text)));
                foreach (ColdStartWay way in Ways(!arguments.GetValue(WarmOnly) && OperatingSystem.IsLinux())) rows.Add(await bench.MeasureAsync(way, cancellation));
            }
        });
        if (isJson) Console.WriteLine(JsonSerializer.Serialize(rows, BenchJson.Default.ListColdStartRow));
        else ColdStartPrinter.Print(console, rows, await RestCost.MeasureAsync(ColdStartBench.Rest, TimeProvider.System, cancellation));
        return 0;
    }

    private static IEnumerable<ColdStartWay> Ways(bool withCold) =>
        from cold in withCold ? (bool[])[false, true] : [false]
        from way in (ColdStartWay[])[new(false, true, cold), new(true, true, cold), new(true, false, cold)]
        select way;

    /// <exception cref="BenchException">The executable is no published one.</exception>
    private static string Published(string? named)
    {
        string path = Path.GetFullPath(named ?? Environment.ProcessPath!);
        string runtime = OperatingSystem.IsWindows() ? "coreclr.dll" : OperatingSystem.IsMacOS() ? "libcoreclr.dylib" : "libcoreclr.so";
        // A published one brings its runtime, and is compiled ahead of time; from the build's output a start takes more than twice as long.
        return File.Exists(path) && File.Exists(Path.Combine(Path.GetDirectoryName(path)!, runtime))
            ? path
            : throw new BenchException($"{path} is not a published r1, and what is not published starts slowly: {Publish}");
    }

    private static async Task<(ModelFolder Folder, ModelVariant Variant)> FindAsync(string named, ModelRepository repository, Action<string> progress, CancellationToken cancellation)
    {
        int colon = named.LastIndexOf(':');
        string name = colon < 0 ? named : named[..colon];
        Precision precision = colon < 0 ? Precision.Fp32 : PrecisionName.Find(named[(colon + 1)..]) ?? throw new InvalidDataException($"--model {named}: the precisions are {string.Join(", ", PrecisionName.All)}.");
        progress($"Building {name}");
        ModelFolder folder = await BenchModels.FindAsync(name, repository, [precision], cancellation);
        ModelVariant variant = folder.Manifest.Variants.FirstOrDefault(one => one.Precision == precision)
            ?? throw new InvalidDataException($"--model {named}: {name} has no such variant.");
        if (PreparedFolder.Look(folder, variant, new RuntimeOptions { Device = DeviceKind.Cpu }).Path is null)
        {
            progress($"Preparing {named}");
            await ChildProcess.ReadAsync(cancellation, "model", "prepare", folder.Path, "--precision", PrecisionName.Of(precision), "--device", "cpu");
        }

        return (folder, variant);
    }
}
