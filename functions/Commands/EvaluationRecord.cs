using R1Serverless.Engine.Evaluation;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Commands;

/// <summary>Keeps what was measured with the model, for the servers that start after it.</summary>
internal static class EvaluationRecord
{
    /// <summary>Writes each variant's evaluation in the place of its former one on this device; what others have written meanwhile stays.</summary>
    /// <returns>What was done, in a sentence.</returns>
    /// <exception cref="InvalidModelException">The model is damaged, or was built again meanwhile.</exception>
    /// <exception cref="IOException">The folder can't be written.</exception>
    public static async Task<string> KeepAsync(ModelFolder folder, ModelReport report, TimeProvider time, CancellationToken cancellation)
    {
        VariantReport[] whole = [.. report.Variants.Where(v => v.Answers.Total.Errors == 0)];
        if (whole.Length < report.Variants.Count && !whole.Contains(report.Reference)) return "Nothing is kept: requests to the reference failed.";
        var kept = await KeepAsync(folder, [.. whole.Select(variant => (variant.Variant, report.Evaluation(variant)))], time, cancellation);
        return whole.Length == report.Variants.Count ? kept : $"{kept[..^1]}, without the variants whose requests failed.";
    }

    /// <summary>The same of a model over tensors, whose requests have all been answered.</summary>
    public static async Task<string> KeepAsync(
        ModelFolder folder, IReadOnlyList<(ModelVariant Variant, VariantEvaluation Evaluation)> measured, TimeProvider time,
        CancellationToken cancellation)
    {
        var path = await StoredEvaluations.UpdateAsync(
            folder, now => measured.Aggregate(now, (manifest, one) => manifest.WithEvaluation(one.Variant.File, one.Evaluation)), time, cancellation);
        return $"Kept in {path}.";
    }
}
