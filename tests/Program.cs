using R1Serverless.Tests.Queues.Broker;
using R1Serverless.Tests.Queues.Embedded;

namespace R1Serverless.Tests;

/// <summary>Runs the tests; or is a process that they, or a benchmark, need beside them.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => args switch
    {
        [QueueChild.Command, var folder, var name] => QueueChild.RunAsync(folder, name),
        [Delivery.FetchChild.Command, var repository, var cache, var version] => Delivery.FetchChild.RunAsync(repository, cache, version),
        [BrokerChild.Command] => BrokerChild.RunAsync(),
        [Triggers.Host.HostChild.Command, .. var folder] => Triggers.Host.HostChild.RunAsync(folder),
        _ when args.Contains("--server", StringComparer.Ordinal) => Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
        _ => Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args),
    };
}
