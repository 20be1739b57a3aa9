using System.CommandLine;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>--executable</c>: the r1 whose server is measured.</summary>
internal static class ExecutableOption
{
    public static Option<string?> Create(bool required = false) => new("--executable")
    {
        Description = $"The published r1 whose server is measured.{(required ? "" : " [default: the build beside the tests]")}",
        HelpName = "FILE", Required = required,
    };
}
