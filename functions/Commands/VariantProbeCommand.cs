using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.Models.Folders;

namespace R1Serverless.Commands;

/// <summary><c>r1 variant-probe</c>: loads one variant and tells what that took, as JSON. Started by <c>r1 model evaluate</c>, in a process of its
/// own.</summary>
internal static class VariantProbeCommand
{
    public static Command Create()
    {
        Option<string> model = new("--model") { Required = true };
        Option<string> file = new("--file") { Required = true };
        Option<DeviceKind> device = new("--device") { Required = true };
        Option<int> rows = new("--rows") { Required = true };
        Command command = new(VariantProbe.Verb, "Load one variant and tell what that took.") { model, file, rows, device };
        command.Hidden = true;
        command.SetAction((arguments, _) => PlainErrors.CatchAsync(() =>
        {
            var probe = VariantProbe.Run(
                ModelFolder.Open(arguments.GetRequiredValue(model)), arguments.GetRequiredValue(file), arguments.GetRequiredValue(rows),
                arguments.GetRequiredValue(device));
            Console.Write(JsonSerializer.Serialize(probe, BenchJson.Default.VariantProbe));
            return Task.FromResult(0);
        }));
        return command;
    }
}
