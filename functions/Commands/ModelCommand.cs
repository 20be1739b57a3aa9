using System.CommandLine;
using R1Serverless.Hosting;

namespace R1Serverless.Commands;

/// <summary><c>r1 model</c>: what stands on this machine's disk.</summary>
internal static class ModelCommand
{
    /// <param name="load">Loads a model into this process.</param>
    public static Command Create(ModelLoader load) => new("model", "Build models, list those that are built, and measure what they know.")
    {
        ModelBuildCommand.Create(), ModelListCommand.Create(), EvaluateCommand.Create(load),
    };
}
