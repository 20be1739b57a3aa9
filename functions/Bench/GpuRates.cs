using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Graphs;

namespace R1Serverless.Bench;

/// <summary>A variant's speed: the bare loop, which binds everything once and neither schedules nor samples, and the engine over the same
/// graph.</summary>
internal sealed class GpuRates(GpuSubject subject, GpuOptions options, double bandwidth, TimeProvider time, Action<string> progress)
{
    /// <summary>For 512 rows of a large model.</summary>
    private const long KvMemory = 32L << 30;

    public async Task<IReadOnlyList<GpuSpeed>> MeasureAsync(CancellationToken cancellation)
    {
        var graph = subject.Folder.GraphPath(subject.Variant);
        var weights = GraphWeights.ReadPerStep(graph);
        using RawLoop loop = new(graph, options.Runtime, subject.Folder.Names);
        await using EnginePair engine =
            new(subject.Folder, subject.Variant, loop, options.Runtime,
                options.IsCuda ? new EngineOptions { KvMemory = KvMemory } : new EngineOptions(), time);
        List<GpuSpeed> speeds = [];
        foreach (var rows in options.Rows)
        {
            // Not kept from one number of rows to the next: so many slots lie on the card once only.
            using DecodeRates bare = new(loop, subject.Folder.Config.ContextLength);
            var pair = engine.Pair(rows, cancellation);
            List<double> raw = [];
            for (var round = 0; round < options.Rounds; round++)
            {
                progress($"{subject.Folder.Name} {subject.Name}: {rows} at once, round {round + 1} of {options.Rounds}");
                cancellation.ThrowIfCancellationRequested();
                raw.Add(bare.Measure(rows));
                await pair.RunRoundAsync();
            }

            var rate = InterleavedRates.Median(raw);
            speeds.Add(new GpuSpeed(subject.Folder.Name, subject.Name, rows, rate, pair.Target, pair.Ratio(0), rate / rows * weights / bandwidth));
        }

        return speeds;
    }
}
