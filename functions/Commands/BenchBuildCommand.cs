using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Building;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench-build</c>: builds a model and tells what that took, as JSON. Started by <c>r1 bench</c>, in a process of its own: the memory is the build's alone.</summary>
internal static class BenchBuildCommand
{
    private static readonly Option<string> Checkpoint = new("--checkpoint") { Required = true };
    private static readonly Option<string> Output = new("--output") { Required = true };
    private static readonly Option<string> Name = new("--name") { Required = true };
    private static readonly Option<string> Precision = new("--precision") { Required = true };

    public static Command Create()
    {
        Command command = new("bench-build", "Build a model and tell what that took.") { Checkpoint, Output, Name, Precision, KvOption.Kv };
        command.Hidden = true;
        command.SetAction((arguments, cancellation) => Task.FromResult(PlainErrors.Catch(() => Run(arguments, cancellation))));
        return command;
    }

    private static int Run(ParseResult arguments, CancellationToken cancellation)
    {
        long began = Stopwatch.GetTimestamp();
        ModelBuilder.Build(
            arguments.GetRequiredValue(Checkpoint), arguments.GetRequiredValue(Output), arguments.GetRequiredValue(Name), TimeProvider.System,
            PrecisionList.Parse([arguments.GetRequiredValue(Precision)]), progress: null, cancellation, arguments.GetValue(KvOption.Kv));
        BuildCost cost = new(Stopwatch.GetElapsedTime(began).TotalSeconds, ChildProcess.OwnPeak());
        Console.Write(JsonSerializer.Serialize(cost, BenchJson.Default.BuildCost));
        return 0;
    }
}
