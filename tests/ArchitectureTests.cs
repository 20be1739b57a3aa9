using System.Xml.Linq;
using ArchUnitNET.Loader;
using R1Serverless.Commands;

namespace R1Serverless.Tests;

/// <summary>Who may import whom. A folder is the namespace of its name.</summary>
public sealed class ArchitectureTests
{
    private const int MaxLines = 300, MaxWidth = 150;
    private const string RawQuotes = "\"\"\"";

    private static readonly ArchUnitNET.Domain.Architecture Product =
        new ArchLoader().LoadAssemblies([.. Assemblies()]).Build();

    // In halves, so that this file isn't among those it finds.
    private static readonly string[] Unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Exception"];

    /// <summary>Which projects each project of core references. What it imports beyond them, the compiler refuses.</summary>
    private static readonly Dictionary<string, string[]> References = new(StringComparer.Ordinal)
    {
        ["Abstractions"] = [],
        ["Storage"] = ["Abstractions"],
        ["Constraints"] = [],
        ["Models"] = ["Storage"],
        ["Scheduling"] = ["Abstractions"],
        ["Images"] = ["Models"],
        ["Engine"] = ["Scheduling", "Images"],
        ["ModelBuilder"] = ["Engine"],
        ["ModelRegistry"] = ["Engine"],
        ["Queues"] = ["Storage"],
        ["Queues.Sqlite"] = ["Queues"],
        ["Azure"] = ["Queues"],
    };

    public static TheoryData<string> Projects => [.. References.Keys];

    [Fact]
    public void Every_project_of_core_has_its_rule() =>
        Assert.Equal(References.Keys.Order(),
            Directory.EnumerateDirectories(RepositoryFiles.Path("core")).Select(Path.GetFileName).Except(["bin", "obj"]).Order());

    [Theory]
    [MemberData(nameof(Projects))]
    public void Core_references_one_way(string project)
    {
        var text = System.IO.File.ReadAllText(RepositoryFiles.Path("core", project, $"R1Serverless.{project}.csproj"));
        var references = XDocument.Parse(text).Descendants("ProjectReference")
            .Select(one => Path.GetFileName(Path.GetDirectoryName(one.Attribute("Include")!.Value)!));
        Assert.Equal(References[project], references);
    }

    [Fact]
    public void Only_the_engine_and_the_builder_know_onnx_runtime() =>
        AssertNone(Imports()
            .Where(i => Within(i.To, "Microsoft.ML.OnnxRuntime") && !Within(i.Type, "R1Serverless.Engine")
            && !Within(i.Type, "R1Serverless.ModelBuilder")));

    [Fact]
    public void Only_the_projects_made_for_them_know_services_and_databases() =>
        AssertNone(Imports().Where(i =>
            (Within(i.To, "Azure") || Within(i.To, "Microsoft.Azure.Amqp")) && !Within(i.Type, "R1Serverless.Azure")
            // The type that the queue's trigger binds, and an exporter of OpenTelemetry.
            && i.To != "Azure.Storage.Queues.Models.QueueMessage" && i.Type != "R1Serverless.Monitoring.AzureMonitorExport"
            || Within(i.To, "Microsoft.Data.Sqlite") && !Within(i.Type, "R1Serverless.Queues.Sqlite")));

    [Fact]
    public void Only_images_know_the_library_that_decodes_them() =>
        AssertNone(Imports().Where(i => Within(i.To, "SkiaSharp") && !Within(i.Type, "R1Serverless.Images")));

    [Fact]
    public void Json_names_stand_only_on_wire_types_reports_and_files() =>
        AssertNone(Imports().Where(i =>
            Within(i.To, "System.Text.Json.Serialization") && i.To.EndsWith("Attribute", StringComparison.Ordinal)
                && !((string[])["Api.OpenAI", "Auth", "Bench", "Models", "ModelBuilder", "Queues", "ModelRegistry", "Azure"]).Any(
                folder => Within(i.Type, $"R1Serverless.{folder}"))));

    [Fact]
    public void Folders_import_one_way()
    {
        var imports = Imports().Where(i => Within(i.To, "R1Serverless")).Select(i => (i.From, To: Folder(i.To)!)).Where(i => i.From != i.To)
            .Distinct()
            .ToLookup(i => i.From, i => i.To, StringComparer.Ordinal);
        var circles = imports.Select(i => i.Key).Select(folder => Circle(folder, folder, imports, [])).OfType<string>();
        Assert.Equal([], circles);
    }

    [Theory]
    [InlineData("core", "")]
    [InlineData("functions", "")]
    [InlineData("tests", ".Tests")]
    public void A_folder_is_a_namespace(string root, string prefix)
    {
        var wrong =
            from file in Sources()
            where Path.GetExtension(file) == ".cs"
            let folders = Path.GetRelativePath(RepositoryFiles.Root, Path.GetDirectoryName(file)!).Split(Path.DirectorySeparatorChar)
            where folders[0] == root
            let expected = $"namespace {string.Join('.', (string[])[$"R1Serverless{prefix}", .. folders[1..]])};"
            from line in System.IO.File.ReadLines(file)
            where line.StartsWith("namespace ", StringComparison.Ordinal) && line != expected
            select $"{file}: {line}";
        Assert.Equal([], wrong);
    }

    [Fact]
    public void Files_stay_readable_in_one_sitting() =>
        Assert.Equal([],
            Sources().Select(
            file => (File: file, Lines: System.IO.File.ReadLines(file).Count(line => !line.StartsWith("using ", StringComparison.Ordinal))))
            .Where(f => f.Lines > MaxLines));

    /// <summary>Text that can't be broken (SQL, JSON, a template) stands in raw strings, which may be wider.</summary>
    [Fact]
    public void Lines_of_code_fit_into_the_editorconfigs_width()
    {
        Assert.Equal([], RepositoryFiles.Sources().SelectMany(Wide));

        static IEnumerable<string> Wide(string file)
        {
            var isRaw = false;
            foreach (var (number, line) in System.IO.File.ReadLines(file).Index())
            {
                if (line.Length > MaxWidth && !isRaw && !line.Contains(RawQuotes, StringComparison.Ordinal)) yield return $"{file}:{number + 1}";
                if (line.Split(RawQuotes).Length % 2 == 0) isRaw = !isRaw;
            }
        }
    }

    [Fact]
    public void Nothing_is_left_for_later() =>
        Assert.Equal([], Sources().SelectMany(file => System.IO.File.ReadLines(file).Select((line, i) => (Line: line, Place: $"{file}:{i + 1}")))
            .Where(l => Unfinished.Any(mark => l.Line.Contains(mark, StringComparison.Ordinal))).Select(l => l.Place));

    private static IEnumerable<System.Reflection.Assembly> Assemblies() =>
        Directory.EnumerateFiles(AppContext.BaseDirectory, "R1Serverless.*.dll").Where(file => !file.EndsWith("Tests.dll", StringComparison.Ordinal))
            .Append(typeof(ChatCommand).Assembly.Location)
            .Select(System.Reflection.Assembly.LoadFrom);

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

    /// <summary>The namespace of a type of ours; null for others', and for those in the root.</summary>
    private static string? Folder(string type)
    {
        if (!Within(type, "R1Serverless")) return null;
        var folder = type.Split('+', '`')[0];
        folder = folder[..folder.LastIndexOf('.')];
        return folder == "R1Serverless" ? null : folder;
    }

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
