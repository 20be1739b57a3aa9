using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Bench;

/// <summary>Measures a variant's engine beside ONNX Runtime in a bare loop over the same graph, in turn.</summary>
/// <param name="progress">Told what is being measured.</param>
internal sealed class EngineBench(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, TimeProvider time, Action<string> progress)
{
    /// <param name="shape">The prompts and outputs of a single request.</param>
    /// <exception cref="InvalidDataException">A request is longer than the model's context.</exception>
    public async Task<BenchReport> RunAsync(IReadOnlyList<int> clients, PairShape shape, int rounds, CancellationToken cancellation)
    {
        if (shape.PromptTokens + shape.OutputTokens > folder.Config.ContextLength)
        {
            throw new InvalidDataException(
                $"{shape.PromptTokens} tokens of prompt and {shape.OutputTokens} of output don't fit into the {folder.Config.ContextLength} of "
                + $"{folder.Name}.");
        }

        var precision = PrecisionName.Of(variant.Precision);
        progress($"{folder.Name} {precision}: loading");
        using RawLoop loop = new(folder.GraphPath(variant), runtime, folder.Names);
        await using EnginePair engine = new(folder, variant, loop, runtime, new EngineOptions(), time, shape);
        List<BenchRow> rows = [];
        foreach (var count in clients)
        {
            List<LoadResult> loads = [];
            var pair = engine.Pair(count, cancellation, loads.Add);
            for (var round = 1; round <= rounds; round++)
            {
                progress($"{folder.Name} {precision}: {count} at once, round {round} of {rounds}");
                await pair.RunRoundAsync();
            }

            var (first, gap) = (Percentiles.Median(loads.Select(one => one.FirstToken)), Percentiles.Median(loads.Select(one => one.Gap)));
            rows.Add(new BenchRow(count, first, gap, pair.Target, pair.Companion(0), pair.Ratio(0)));
        }

        return new BenchReport(folder.Name, $"{precision} on {loop.Device}", rows);
    }
}
