using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Probes;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Compares the ways to write quantised linear layers: speed on random weights, accuracy on the shipped model's, and whether a row depends
/// on its neighbours.</summary>
/// <param name="folder">Where the models are built; the caller empties it.</param>
/// <param name="rounds">How often each speed is measured, in turn with all the others; medians are reported.</param>
/// <param name="tasks">Problems that the shipped model is asked, from the first on; 0 asks none.</param>
/// <param name="progress">Told what is being done.</param>
internal sealed class LayoutBench(string folder, int rounds, int tasks, Action<string> progress)
{
    public const int PromptTokens = 512;

    public static IReadOnlyList<int> Rows { get; } = [1, 8, 32];

    public async Task<IReadOnlyList<LayoutRow>> RunAsync(CancellationToken cancellation)
    {
        var shipped = ShippedModels.Find(ShippedModels.Nano)
            ?? throw new InvalidModelException($"{ShippedModels.Nano} is not beside the executable.");
        var random = Path.Combine(folder, "checkpoint");
        progress("writing random weights");
        SyntheticCheckpoint.Write(random, SyntheticShape.Bench, shipped);
        List<(LayoutCandidate Candidate, ModelFolder Random, ModelFolder Shipped)> models = [];
        foreach (var candidate in LayoutCandidate.All)
        {
            progress($"building {candidate.Name}");
            models.Add((candidate, Build(candidate, random, $"random-{models.Count}", cancellation),
                Build(candidate, shipped, $"shipped-{models.Count}", cancellation)));
        }

        var speeds = MeasureSpeeds([.. models.Select(m => m.Random)], cancellation);
        List<LayoutRow> rows = [];
        foreach (var ((candidate, own, real), speed) in models.Zip(speeds))
        {
            progress($"{candidate.Name}: rows alone and together");
            var difference = Math.Max(Difference(own), Difference(real));
            rows.Add(new LayoutRow(candidate.Name, candidate.IsBuilt, own.Manifest.Variants[0].Bytes, speed.Decode, speed.Prefill, difference,
                tasks == 0 ? null : await AskAsync(candidate, real, cancellation)));
        }

        return rows;
    }

    private ModelFolder Build(LayoutCandidate candidate, string checkpoint, string name, CancellationToken cancellation) =>
        candidate.Build(checkpoint, Path.Combine(folder, name), name, TimeProvider.System, cancellation);

    private List<(IReadOnlyList<double> Decode, double Prefill)> MeasureSpeeds(IReadOnlyList<ModelFolder> models, CancellationToken cancellation)
    {
        List<RawLoop> loops = [.. models.Select(model => new RawLoop(model.GraphPath(model.Manifest.Variants[0]), new RuntimeOptions()))];
        List<DecodeRates> rates = [.. loops.Zip(models, (loop, model) => new DecodeRates(loop, model.Config.ContextLength))];
        var measured = models.Select(_ => Rows.Append(0).Select(_ => new List<double>()).ToArray()).ToArray();
        try
        {
            for (var round = 1; round <= rounds; round++)
            {
                for (var way = 0; way <= Rows.Count; way++)
                {
                    progress($"speed, round {round} of {rounds}, {(way < Rows.Count ? $"{Rows[way]} at once" : "prompts")}");
                    for (var i = 0; i < loops.Count; i++)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        measured[i][way].Add(
                            way < Rows.Count ? rates[i].Measure(Rows[way]) : PromptTokens / loops[i].Run(1, PromptTokens, 1).TotalSeconds);
                    }
                }
            }
        }
        finally
        {
            foreach (var rate in rates) rate.Dispose();
            foreach (var loop in loops) loop.Dispose();
        }

        return [.. measured.Select(
            ways => ((IReadOnlyList<double>)[.. ways[..^1].Select(InterleavedRates.Median)], InterleavedRates.Median(ways[^1])))];
    }

    private static double Difference(ModelFolder model) => RowIndependence.LargestDifference(model, model.Manifest.Variants[0], new RuntimeOptions());

    /// <summary>Exact answers, 0 to 1.</summary>
    private async Task<double> AskAsync(LayoutCandidate candidate, ModelFolder model, CancellationToken cancellation)
    {
        progress($"{candidate.Name}: asking {ShippedModels.Nano}");
        var asked = await EvaluationTask.LoadAsync(Path.Combine(model.Path, ModelFiles.EvaluationFile), cancellation);
        await using var engine =
            new LocalInference(
                [LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], new RuntimeOptions(), new EngineOptions(), TimeProvider.System)]);
        var report =
            await Evaluation.RunAsync(engine, model.Name, candidate.Precision, [.. asked.Take(tasks)], TimeProvider.System, progress: null,
                cancellation);
        return report.Total.Accuracy;
    }
}
