using System.CommandLine;
using System.Text.Json;
using R1Serverless.Hosting;
using R1Serverless.Requests;
using R1Serverless.Runtime;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 devices</c>: what models can run on here.</summary>
internal static class DevicesCommand
{
    private const int TableWidth = 140;

    public static Command Create()
    {
        Option<bool> json = new("--json") { Description = "Print one JSON object instead of tables." };
        Command command = new("devices", "Show what models can run on here: execution providers, hardware, and what each precision means on it.") { json };
        command.SetAction(arguments => PlainErrors.Catch(() => Run(Machine.Look(), arguments.GetValue(json))));
        return command;
    }

    private static int Run(Machine machine, bool isJson)
    {
        if (isJson) WriteJson(machine, Console.OpenStandardOutput());
        else Print(machine, AnsiConsole.Console);
        return 0;
    }

    private static void Print(Machine machine, IAnsiConsole console)
    {
        if (Console.IsOutputRedirected) console.Profile.Width = TableWidth;
        Grid grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(3)).AddColumn();
        grid.AddRow("ONNX Runtime", Markup.Escape($"{machine.RuntimeVersion}, {string.Join(", ", machine.Providers)}"));
        grid.AddRow("processor", Markup.Escape($"{machine.Processor}, {machine.Cores} cores: {string.Join(", ", machine.InstructionSets)}"));
        grid.AddRow("memory", Quantities.Bytes(machine.MemoryBytes));
        grid.AddRow("models run on", machine.DefaultDevice == "cuda" ? "CUDA, or the CPU where it can't be used (--device)" : "the CPU");
        grid.AddRow("CUDA", Markup.Escape(
            !ExecutionProvider.BuiltWithCuda ? "not in this build; `dotnet build -p:Gpu=true` has it" : machine.CudaMissing is { } missing ? $"built in, but {missing}" : "built in, and this machine has what it needs"));
        console.Write(grid);

        Table devices = new Table().Border(TableBorder.Simple).AddColumns("provider", "kind", "vendor", "name");
        foreach (MachineDevice device in machine.Devices) devices.AddRow(Markup.Escape(device.Provider), device.Kind, Markup.Escape(device.Vendor), Markup.Escape(device.Name));
        console.Write(devices);

        Table precisions = new Table().Border(TableBorder.Simple).AddColumns("precision", $"on {machine.DefaultDevice}");
        foreach (PrecisionOnDevice row in machine.Precisions) precisions.AddRow(PrecisionName.Of(row.Precision), Markup.Escape(row.Meaning));
        console.Write(precisions);
    }

    private static void WriteJson(Machine machine, Stream output)
    {
        using Utf8JsonWriter json = new(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("runtime_version", machine.RuntimeVersion);
        WriteTexts(json, "providers", machine.Providers);
        json.WriteString("default_device", machine.DefaultDevice);
        json.WriteString("cuda_missing", machine.CudaMissing);
        json.WriteString("processor", machine.Processor);
        WriteTexts(json, "instruction_sets", machine.InstructionSets);
        json.WriteNumber("cores", machine.Cores);
        json.WriteNumber("memory_bytes", machine.MemoryBytes);
        json.WriteStartArray("devices");
        foreach (MachineDevice device in machine.Devices)
        {
            json.WriteStartObject();
            json.WriteString("provider", device.Provider);
            json.WriteString("kind", device.Kind);
            json.WriteString("vendor", device.Vendor);
            json.WriteString("name", device.Name);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("precisions");
        foreach (PrecisionOnDevice row in machine.Precisions)
        {
            json.WriteStartObject();
            json.WriteString("precision", PrecisionName.Of(row.Precision));
            json.WriteString("meaning", row.Meaning);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        output.Write("\n"u8);
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
