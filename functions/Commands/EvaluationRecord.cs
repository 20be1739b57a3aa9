using R1Serverless.Generation;
using R1Serverless.Models;

namespace R1Serverless.Commands;

/// <summary>Keeps what was measured in the model's manifest.</summary>
internal static class EvaluationRecord
{
    /// <summary>Writes each variant's evaluation in the place of its former one on this device; what others have written meanwhile stays.</summary>
    /// <returns>What was done, in a sentence.</returns>
    /// <exception cref="InvalidModelException">The manifest is damaged, or the model was built again meanwhile.</exception>
    public static string Keep(ModelFolder folder, ModelReport report)
    {
        string path = Path.Combine(folder.Path, ModelManifest.FileName);
        if (!File.Exists(path)) return $"Nothing is kept: {folder.Path} has no {ModelManifest.FileName}.";
        VariantReport[] whole = [.. report.Variants.Where(v => v.Answers.Total.Errors == 0)];
        if (whole.Length < report.Variants.Count && !whole.Contains(report.Reference)) return "Nothing is kept: requests to the reference failed.";
        ModelManifest now = ModelManifest.Load(path);
        if ((now.Fingerprint, now.Created) != (folder.Manifest.Fingerprint, folder.Manifest.Created))
            throw new InvalidModelException($"{folder.Name} was built again while it was measured: nothing is kept, evaluate it again.");
        whole.Aggregate(now, (manifest, variant) => manifest.WithEvaluation(variant.Variant.File, report.Evaluation(variant))).Save(path);
        return whole.Length == report.Variants.Count ? $"Kept in {path}." : $"Kept in {path}, without the variants whose requests failed.";
    }
}
