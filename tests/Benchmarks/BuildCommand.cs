using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench build</c>: builds a model and tells what that took, as JSON; in a process of its own, as the memory is the build's
/// alone.</summary>
internal static class BuildCommand
{
    private static readonly Option<string> Checkpoint = new("--checkpoint") { Required = true };
    private static readonly Option<string> Output = new("--output") { Required = true };
    private static readonly Option<string> Name = new("--name") { Required = true };
    private static readonly Option<string> Precision = new("--precision") { Required = true };

    public static Command Create()
    {
        Command command = new("build", "Build a model and tell what that took.") { Checkpoint, Output, Name, Precision, ModelBuildCommand.Kv };
        command.Hidden = true;
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => Task.FromResult(Run(arguments, cancellation))));
        return command;
    }

    private static int Run(ParseResult arguments, CancellationToken cancellation)
    {
        var began = Stopwatch.GetTimestamp();
        CheckpointBuilder.Build(
            arguments.GetRequiredValue(Checkpoint), arguments.GetRequiredValue(Output), arguments.GetRequiredValue(Name), TimeProvider.System,
            CommonOptions.ParsePrecisions([arguments.GetRequiredValue(Precision)]), progress: null, cancellation,
            arguments.GetValue(ModelBuildCommand.Kv));
        BuildCost cost = new(Stopwatch.GetElapsedTime(began).TotalSeconds, ChildProcess.OwnPeak());
        Console.Write(JsonSerializer.Serialize(cost, BenchmarkJson.Default.BuildCost));
        return 0;
    }
}
