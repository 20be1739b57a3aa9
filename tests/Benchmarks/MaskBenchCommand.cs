using System.CommandLine;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench maskbench</c>: a folder of MaskBench's schemas with a real tokenizer.</summary>
internal static class MaskBenchCommand
{
    private static readonly Option<string> Folder = new("--folder")
    {
        Description = "Folder of MaskBench's files: a schema with valid and invalid instances each.", Required = true,
    };

    private static readonly Option<string> Tokenizer = new("--tokenizer")
    {
        Description = "Folder with a byte-level tokenizer.json.", Required = true,
    };

    private static readonly Option<bool> Verbose = new("--verbose") { Description = "Name each schema and instance that is refused or accepted wrongly." };

    public static Command Create()
    {
        Command command = new("maskbench", "Compile JSON schemas and walk their instances: what is supported, and what compilation and masks take.")
        {
            Folder, Tokenizer, Verbose,
        };
        command.SetAction(arguments => MaskBench.Run(arguments.GetRequiredValue(Folder), arguments.GetRequiredValue(Tokenizer), Console.Out,
            arguments.GetValue(Verbose)) ? 0 : 1);
        return command;
    }
}
