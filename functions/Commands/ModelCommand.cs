using System.CommandLine;

namespace R1Serverless.Commands;

/// <summary><c>r1 model</c>: what stands on this machine's disk.</summary>
internal static class ModelCommand
{
    public static Command Create() => new("model", "Build models, list those that are built, and measure what they know.")
    {
        ModelBuildCommand.Create(), ModelListCommand.Create(), EvaluateCommand.Create(),
    };
}
