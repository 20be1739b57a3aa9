using System.CommandLine;

namespace R1Serverless.Commands;

/// <summary><c>--data</c>: where this machine's models and queue are kept; the same in every command.</summary>
internal static class DataOption
{
    public static Option<string?> Create() => new("--data") { Description = "The folder where built models are kept, and the embedded queue. [default: the user's data folder]", HelpName = "DIR" };
}
