using System.CommandLine;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>--device</c> of a server in a process of its own, which the benchmark must know before it asks.</summary>
internal static class ServerDevice
{
    public const string Cpu = "cpu";

    public static Option<string> Create()
    {
        Option<string> option = new("--device")
        {
            Description = "Where the server runs the model; cuda needs a build for it.", HelpName = "cpu|cuda", DefaultValueFactory = _ => Cpu,
        };
        option.AcceptOnlyFromAmong(Cpu, "cuda");
        return option;
    }
}
