using System.CommandLine;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench random-model</c>: builds a model of random weights into the repository, for <c>r1 bench</c> and <c>r1 bench gpu</c>.</summary>
internal static class RandomModelCommand
{
    private static readonly Argument<string> Model = CreateModel();

    private static readonly Option<string[]> Precisions = new("--precision")
    {
        Description = "Variants to build, with commas between them. [default: all]", HelpName = "fp32,fp16,int8,int4",
    };

    private static readonly Option<string?> Data = CommonOptions.Data;

    public static Command Create()
    {
        Command command = new(
            "random-model",
            "Build a model of random weights: about 50 million parameters, or the shape of DeepSeek-R1-Distill-Qwen-1.5B.")
        {
            Model, Precisions, ModelBuildCommand.Kv, Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var precisions = CommonOptions.ParsePrecisions(arguments.GetValue(Precisions));
        if (precisions.Count == 0) precisions = Enum.GetValues<Precision>();
        var folder = await MeasuredModels.FindAsync(
            arguments.GetRequiredValue(Model), DataFolder.Repository(arguments.GetValue(Data)), precisions, cancellation,
            arguments.GetValue(ModelBuildCommand.Kv));
        Console.WriteLine(folder.Path);
        return 0;
    }

    private static Argument<string> CreateModel()
    {
        Argument<string> argument = new("name") { Description = $"{MeasuredModels.Synthetic} or {MeasuredModels.Large}." };
        argument.AcceptOnlyFromAmong(MeasuredModels.Synthetic, MeasuredModels.Large);
        return argument;
    }
}
