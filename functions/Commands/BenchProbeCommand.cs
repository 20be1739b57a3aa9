using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Models;
using R1Serverless.Runtime;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench-probe</c>: loads one variant and tells what that took, as JSON. Started by the commands that measure, in a process of its own.</summary>
internal static class BenchProbeCommand
{
    public static Command Create()
    {
        Option<string> model = new("--model") { Required = true };
        Option<string> file = new("--file") { Required = true };
        Option<DeviceKind> device = new("--device") { Required = true };
        Option<int> rows = new("--rows") { Required = true };
        Command command = new("bench-probe", "Load one variant and tell what that took.") { model, file, rows, device };
        command.Hidden = true;
        command.SetAction(arguments => PlainErrors.Catch(() =>
        {
            VariantProbe probe = VariantProbe.Run(
                ModelFolder.Open(arguments.GetRequiredValue(model)), arguments.GetRequiredValue(file), arguments.GetRequiredValue(rows), arguments.GetRequiredValue(device));
            Console.Write(JsonSerializer.Serialize(probe, BenchJson.Default.VariantProbe));
            return 0;
        }));
        return command;
    }
}
