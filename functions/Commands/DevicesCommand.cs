using System.CommandLine;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Api;
using R1Serverless.Engine.Devices;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 devices</c>: what models can run on here.</summary>
internal static class DevicesCommand
{
    public static Command Create()
    {
        Command command = new("devices", "Show what models can run on here: execution providers, hardware, and what each precision means on it.")
        {
            CommonOptions.Json,
        };
        command.SetAction((arguments, _) =>
            PlainErrors.CatchAsync(() => Task.FromResult(Run(Machine.Look(), arguments.GetValue(CommonOptions.Json)))));
        return command;
    }

    private static int Run(Machine machine, bool isJson)
    {
        if (isJson) JsonAnswers.WriteIndented(Console.OpenStandardOutput(), Json(machine));
        else Print(machine, TableConsole.Create(isJson: false));
        return 0;
    }

    private static void Print(Machine machine, IAnsiConsole console)
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(3)).AddColumn();
        grid.AddRow("ONNX Runtime", Markup.Escape($"{machine.RuntimeVersion}, {string.Join(", ", machine.Providers)}"));
        grid.AddRow("processor", Markup.Escape($"{machine.Processor}, {machine.Cores} cores: {string.Join(", ", machine.InstructionSets)}"));
        grid.AddRow("memory", DisplayFormat.Bytes(machine.MemoryBytes));
        grid.AddRow("models run on", machine.DefaultDevice == "cuda" ? "CUDA, or the CPU where it can't be used (--device)" : "the CPU");
        grid.AddRow("CUDA", Markup.Escape(
            !ExecutionProvider.BuiltWithCuda ? "not in this build; `dotnet build -p:Gpu=true` has it" : machine.CudaMissing is { } missing
            ? $"built in, but {missing}" : "built in, and this machine has what it needs"));
        console.Write(grid);

        var devices = new Table().Border(TableBorder.Simple).AddColumns("provider", "kind", "vendor", "name");
        foreach (var device in machine.Devices)
            devices.AddRow(Markup.Escape(device.Provider), device.Kind, Markup.Escape(device.Vendor), Markup.Escape(device.Name));
        console.Write(devices);

        var precisions = new Table().Border(TableBorder.Simple).AddColumns("precision", $"on {machine.DefaultDevice}");
        foreach (var row in machine.Precisions) precisions.AddRow(PrecisionName.Of(row.Precision), Markup.Escape(row.Meaning));
        console.Write(precisions);
    }

    private static JsonObject Json(Machine machine) => new()
    {
        ["runtime_version"] = machine.RuntimeVersion,
        ["providers"] = Texts(machine.Providers),
        ["default_device"] = machine.DefaultDevice,
        ["cuda_missing"] = machine.CudaMissing,
        ["processor"] = machine.Processor,
        ["instruction_sets"] = Texts(machine.InstructionSets),
        ["cores"] = machine.Cores,
        ["memory_bytes"] = machine.MemoryBytes,
        ["devices"] = new JsonArray([.. machine.Devices.Select(device => new JsonObject
        {
            ["provider"] = device.Provider, ["kind"] = device.Kind, ["vendor"] = device.Vendor, ["name"] = device.Name,
        })]),
        ["precisions"] = new JsonArray([.. machine.Precisions.Select(row => new JsonObject
        {
            ["precision"] = PrecisionName.Of(row.Precision), ["meaning"] = row.Meaning,
        })]),
    };

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)text)]);
}
