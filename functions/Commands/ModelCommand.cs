using System.CommandLine;

namespace R1Serverless.Commands;

/// <summary><c>r1 model</c>: what stands on this machine's disk, and in repositories that machines share.</summary>
internal static class ModelCommand
{
    public static Command Create() => new(
        "model", "Build models, fit them to samples, list those that are built, measure what they know, and share them.")
    {
        ModelBuildCommand.Create(), ModelFitCommand.Create(), ModelPrepareCommand.Create(), ModelListCommand.Create(), EvaluateCommand.Create(),
        ModelPushCommand.CreatePush(), ModelPullCommand.Create(), ModelPushCommand.CreateActivate(),
    };
}
