using System.CommandLine.Parsing;

namespace R1Serverless.Hosting;

/// <summary>The Azure Functions host, where it started this process as its isolated worker: it says so on the command line.</summary>
/// <param name="Arguments">What the app itself was told.</param>
/// <param name="Settings">Where the host is and what it calls this worker, under the names that Microsoft.Azure.Functions.Worker reads.</param>
internal sealed record FunctionsHost(IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string?> Settings)
{
    /// <summary>Options of <c>r1 serve</c> for the gateway behind the host, which hands on none itself: its own setting for that has a hyphen in its
    /// name, which not every home of the app takes.</summary>
    public const string OptionsVariable = "R1_SERVE_OPTIONS";

    private const string WorkerId = "--functions-worker-id", FirstArgument = "--host", Section = "Functions:Worker:";

    private static readonly (string Option, string Setting)[] Options =
        [("--functions-uri", "HostEndpoint"), ("--functions-request-id", "RequestId"), (WorkerId, "WorkerId"),
            ("--functions-grpc-max-message-length", "GrpcMaxMessageLength")];

    /// <summary>Reads a command line of the host's, which is <c>[arguments of worker.config.json and app settings] [worker path] --host …
    /// --functions-worker-id …</c>; null where the process was started by anybody else.</summary>
    public static FunctionsHost? Find(IReadOnlyList<string> arguments)
    {
        if (!arguments.Contains(WorkerId)) return null;
        Dictionary<string, string?> settings = new(StringComparer.OrdinalIgnoreCase);
        for (var at = 0; at + 1 < arguments.Count; at++)
        {
            foreach ((var option, var setting) in Options)
            {
                if (arguments[at] == option) settings[Section + setting] = arguments[at + 1];
            }
        }

        var own = arguments.TakeWhile(one => one != FirstArgument && !one.StartsWith("--functions-", StringComparison.Ordinal))
            .Where(one => !one.EndsWith(".dll", StringComparison.OrdinalIgnoreCase));
        return new FunctionsHost([.. own, .. CommandLineParser.SplitCommandLine(Environment.GetEnvironmentVariable(OptionsVariable) ?? "")],
            settings);
    }
}
