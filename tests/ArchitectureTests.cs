using ArchUnitNET.Loader;
using R1Serverless.Commands;
using R1Serverless.Requests;

namespace R1Serverless.Tests;

/// <summary>Who may import whom. A folder of core or functions is the namespace of its name, sub-folders included.</summary>
public sealed class ArchitectureTests
{
    private const int MostLines = 300;

    private static readonly ArchUnitNET.Domain.Architecture Product =
        new ArchLoader().LoadAssemblies(typeof(InferenceRequest).Assembly, typeof(ChatCommand).Assembly).Build();

    // In halves, so that this file isn't among those it finds.
    private static readonly string[] Unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Exception"];

    /// <summary>What each folder of core may import of the others.</summary>
    private static readonly Dictionary<string, string[]> Core = new(StringComparer.Ordinal)
    {
        ["Requests"] = [],
        ["Telemetry"] = [],
        ["Models"] = ["Requests"],
        ["Batching"] = ["Requests", "Models"],
        ["Runtime"] = ["Requests", "Models", "Batching"],
        ["Building"] = ["Requests", "Models"],
        ["Preparing"] = ["Requests", "Models", "Batching", "Runtime", "Building"],
        ["Generation"] = ["Requests", "Models", "Batching", "Runtime", "Telemetry"],
        ["Queues"] = ["Requests", "Telemetry"],
        ["Batches"] = ["Requests", "Queues", "Telemetry"],
        ["Delivery"] = ["Requests", "Models", "Queues", "Telemetry"],
    };

    [Fact]
    public void Core_imports_one_way()
    {
        var broken = Imports().Where(i => Core.TryGetValue(i.From, out var allowed) && i.To.StartsWith("R1Serverless.", StringComparison.Ordinal)
            && Folder(i.To) is { } to && to != i.From && !allowed.Contains(to));
        AssertNone(broken);
    }

    [Fact]
    public void Every_folder_of_core_has_its_rule() =>
        Assert.Equal([], Directory.EnumerateDirectories(RepositoryFiles.Path("core")).Select(Path.GetFileName).Except(["bin", "obj", .. Core.Keys]));

    [Fact]
    public void Only_the_runtime_and_the_builder_know_onnx_runtime() =>
        AssertNone(Imports().Where(i => Within(i.To, "Microsoft.ML.OnnxRuntime") && i.From is not ("Runtime" or "Building")));

    [Fact]
    public void Only_the_transports_the_vault_and_the_monitor_know_their_services() =>
        AssertNone(Imports().Where(i => (Within(i.To, "Azure") || Within(i.To, "Microsoft.Azure.Amqp") || Within(i.To, "Microsoft.Data.Sqlite"))
            && !i.Type.StartsWith("R1Serverless.Queues.Embedded", StringComparison.Ordinal) && !i.Type.StartsWith("R1Serverless.Queues.AzureStorage", StringComparison.Ordinal)
            && !i.Type.StartsWith("R1Serverless.Queues.ServiceBus", StringComparison.Ordinal)
            && !i.Type.StartsWith("R1Serverless.Access.VaultKeys", StringComparison.Ordinal)
            && !i.Type.StartsWith("R1Serverless.Monitoring.AzureMonitorExport", StringComparison.Ordinal)
            // The type that the queue's trigger binds.
            && !(i.Type == "R1Serverless.Triggers.QueueFunctions" && i.To == "Azure.Storage.Queues.Models.QueueMessage")));

    [Fact]
    public void Core_knows_no_web_server() => AssertNone(Imports().Where(i => Core.ContainsKey(i.From) && Within(i.To, "Microsoft.AspNetCore")));

    [Fact]
    public void Json_names_stand_only_on_wire_types_reports_and_model_files() =>
        AssertNone(Imports().Where(i =>
            Within(i.To, "System.Text.Json.Serialization") && i.To.EndsWith("Attribute", StringComparison.Ordinal) && i.From is not ("OpenAi" or "Bench" or "Models" or "Building" or "Queues" or "Batches" or "Delivery")));

    [Fact]
    public void The_wire_knows_no_engine() =>
        AssertNone(Imports().Where(i => i.From == "OpenAi" && Within(i.To, "R1Serverless") && Folder(i.To) is not ("OpenAi" or "Requests")));

    [Fact]
    public void No_two_folders_import_each_other_in_a_circle()
    {
        // The two that put the web server together, endpoints included, stand above both folders.
        string[] composition = ["R1Serverless.Hosting.ServeHost", "R1Serverless.Hosting.Boundary"];
        var imports = Imports()
            .Where(i => Within(i.To, "R1Serverless") && !composition.Any(c => i.Type.StartsWith(c, StringComparison.Ordinal)))
            .Select(i => (i.From, To: Folder(i.To)!)).Where(i => i.From != i.To).Distinct()
            .ToLookup(i => i.From, i => i.To, StringComparer.Ordinal);
        var circles = imports.Select(i => i.Key).Select(folder => Circle(folder, folder, imports, [])).OfType<string>();
        Assert.Equal([], circles);
    }

    [Fact]
    public void Files_stay_readable_in_one_sitting() =>
        Assert.Equal([], Sources().Select(file => (File: file, Lines: System.IO.File.ReadLines(file).Count())).Where(f => f.Lines > MostLines));

    [Fact]
    public void Nothing_is_left_for_later() =>
        Assert.Equal([], Sources().SelectMany(file => System.IO.File.ReadLines(file).Select((line, i) => (Line: line, Place: $"{file}:{i + 1}")))
            .Where(l => Unfinished.Any(mark => l.Line.Contains(mark, StringComparison.Ordinal))).Select(l => l.Place));

    private static IEnumerable<string> Sources() =>
        from folder in (string[])["core", "functions", "tests", "models"]
        from file in Directory.EnumerateFiles(RepositoryFiles.Path(folder), "*", SearchOption.AllDirectories)
        where Path.GetExtension(file) is ".cs" or ".py" or ".mjs" or ".proto"
        let parts = Path.GetRelativePath(RepositoryFiles.Root, file).Split(Path.DirectorySeparatorChar)
        where !parts.Intersect(["bin", "obj", "node_modules"]).Any()
        select file;

    private static IEnumerable<Import> Imports() =>
        from type in Product.Types
        let folder = Folder(type.FullName)
        where folder is not null
        from dependency in type.Dependencies
        select new Import(folder, type.FullName, dependency.Target.FullName);

    /// <summary>The folder of a type of ours; null for others', and for those that stand in no folder, such as Program.</summary>
    private static string? Folder(string type) => Within(type, "R1Serverless") && type.Split('.') is { Length: > 2 } parts ? parts[1] : null;

    private static bool Within(string type, string name) => type.StartsWith(name + ".", StringComparison.Ordinal);

    private static string? Circle(string from, string home, ILookup<string, string> imports, HashSet<string> seen)
    {
        foreach (var to in imports[from])
        {
            if (to == home) return $"{from} → {home}";
            if (seen.Add(to) && Circle(to, home, imports, seen) is { } rest) return $"{from} → {rest}";
        }

        return null;
    }

    private static void AssertNone(IEnumerable<Import> imports) =>
        Assert.Equal([], imports.Select(i => $"{i.Type} → {i.To}").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

    private sealed record Import(string From, string Type, string To);
}
