using System.CommandLine;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>R1Serverless.Tests bench NAME</c>: what developers measure; users have <c>r1 bench</c>.</summary>
internal static class BenchmarkCommands
{
    public const string Name = "bench";

    public static Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        Command bench = new(Name, "Measure the program itself. Each benchmark explains its options with --help.")
        {
            ThroughputCommand.Create(), PrecisionCommand.Create(), LayoutsCommand.Create(), QueueCommand.Create(), HotSwapCommand.Create(),
            ColdStartCommand.Create(), TensorServingCommand.Create(), TensorPrecisionCommand.Create(), FitCommand.Create(),
            OcrCommand.Create(), SeriesCommand.Create(), PrefixCommand.Create(), PrefixKillsCommand.Create(), PrefixWorkersCommand.Create(),
            ConformanceCommand.Create(), MalformedCommand.Create(), RandomModelCommand.Create(), BuildCommand.Create(), ClientCommand.Create(),
            MaskBenchCommand.Create(),
        };
        RootCommand root = new("The tests, and the benchmarks of developers.") { bench };
        return root.Parse([Name, .. arguments]).InvokeAsync();
    }
}
