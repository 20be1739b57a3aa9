using R1Serverless.Tests.Azure.Broker;
using R1Serverless.Tests.Limits;
using R1Serverless.Tests.ModelRegistry;
using R1Serverless.Tests.Queues.Sqlite;

namespace R1Serverless.Tests;

/// <summary>Runs the tests; or is a process that they, or a benchmark, need beside them.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => args switch
    {
        [QueueChild.Command, var folder, var name] => QueueChild.RunAsync(folder, name),
        [FetchChild.Command, var repository, var cache, var version] => FetchChild.RunAsync(repository, cache, version),
        [Benchmarks.BenchmarkCommands.Name, .. var options] => Benchmarks.BenchmarkCommands.RunAsync(options),
        [BrokerChild.Command] => BrokerChild.RunAsync(),
        [Triggers.Host.HostChild.Command, .. var folder] => Triggers.Host.HostChild.RunAsync(folder),
        [ThreadStacks.Command, var process] => Task.FromResult(ThreadStacks.ReadOf(process)),
        _ when args.Contains("--server", StringComparer.Ordinal) =>
            Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
        [RunLimits.Option, var limits, .. var rest] => TestRun.RunAsync(RunLimits.Parse(limits), rest),
        _ => TestRun.RunAsync(RunLimits.Default, args),
    };
}
