using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Evaluation;

/// <summary>How fast the bare loop decodes with each variant: every variant is measured in turn with the reference, round after round.</summary>
internal sealed class VariantRates(ModelFolder folder, EvaluationSettings settings, IProgress<EvaluationProgress>? progress)
{
    /// <summary>The execution provider that the reference was measured on; null before.</summary>
    public string? Device { get; private set; }

    /// <summary>
    /// Tokens per second by rows, one entry per variant, the first of which is the reference. The reference's are medians over the whole run;
    /// another's are these times its median ratio to the reference in the same rounds. So they can be compared, though they weren't measured at the
    /// same time.
    /// </summary>
    public async Task<IReadOnlyList<IReadOnlyDictionary<int, double>>> MeasureAsync(IReadOnlyList<ModelVariant> variants,
        CancellationToken cancellation)
    {
        using var referenceLoop = Open(variants[0]);
        Device = referenceLoop.Device;
        using var reference = new DecodeRates(referenceLoop, folder.Config.ContextLength);
        var limits = settings.Rows.ToDictionary(rows => rows, _ => new List<double>());
        List<Dictionary<int, double>> ratios = [];
        foreach (var variant in variants.Skip(1))
        {
            using var loop = Open(variant);
            using var other = new DecodeRates(loop, folder.Config.ContextLength);
            ratios.Add(await RatiosAsync(variant, other, reference, limits, cancellation));
        }

        foreach (var rows in settings.Rows.Where(rows => limits[rows].Count == 0))
        {
            for (var round = 0; round < settings.Rounds; round++) limits[rows].Add(reference.Measure(rows));
        }

        var rates = limits.ToDictionary(limit => limit.Key, limit => InterleavedRates.Median(limit.Value));
        return [rates, .. ratios.Select(ratio => ratio.ToDictionary(r => r.Key, r => r.Value * rates[r.Key]))];
    }

    private async Task<Dictionary<int, double>> RatiosAsync(
        ModelVariant variant, DecodeRates other, DecodeRates reference, Dictionary<int, List<double>> limits, CancellationToken cancellation)
    {
        var ratios = new Dictionary<int, double>();
        var done = 0;
        foreach (var rows in settings.Rows)
        {
            var pair = new InterleavedRates(() => Task.FromResult(other.Measure(rows)), () => Keep(limits[rows], reference.Measure(rows)));
            for (var round = 0; round < settings.Rounds; round++)
            {
                cancellation.ThrowIfCancellationRequested();
                await pair.RunRoundAsync();
                progress?.Report(
                    new EvaluationProgress($"{ModelEvaluation.Names(variant)}: measuring speed", ++done, settings.Rounds * settings.Rows.Count));
            }

            ratios.Add(rows, pair.Ratio(0));
        }

        return ratios;
    }

    private RawLoop Open(ModelVariant variant) => new(folder.GraphPath(variant), settings.Runtime, folder.Names);

    private static Task<double> Keep(List<double> list, double value)
    {
        list.Add(value);
        return Task.FromResult(value);
    }
}
