using System.CommandLine;
using System.Text.Json;
using R1Serverless.Bench;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench-probe</c>: loads one graph and tells what that took, as JSON. Started by the commands that measure, in a process of its own.</summary>
internal static class BenchProbeCommand
{
    public static Command Create()
    {
        Option<string> graph = new("--graph") { Required = true };
        Option<int> rows = new("--rows") { Required = true };
        Command command = new("bench-probe", "Load one graph and tell what that took.") { graph, rows };
        command.Hidden = true;
        command.SetAction(arguments => PlainErrors.Catch(() =>
        {
            VariantProbe probe = VariantProbe.Run(arguments.GetRequiredValue(graph), arguments.GetRequiredValue(rows));
            Console.Write(JsonSerializer.Serialize(probe, BenchJson.Default.VariantProbe));
            return 0;
        }));
        return command;
    }
}
