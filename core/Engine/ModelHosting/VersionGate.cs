using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>Whether another version may take a model over, by what was measured of both; and which of its variants must be in memory for that.
/// Pure.</summary>
public static class VersionGate
{
    /// <param name="next">Variants of the newcomer.</param>
    /// <param name="current">Those that serve, of which <paramref name="loaded"/> are in memory; empty where nothing serves yet.</param>
    /// <param name="loaded">Precisions in memory: the newcomer is to have the same, as far as it has them at all.</param>
    /// <param name="device">The execution provider: cpu or cuda.</param>
    /// <param name="usual">What requests get that name no precision.</param>
    /// <param name="isForward">False for a return to an older version, which need not be as accurate as the current one.</param>
    /// <param name="loadsMarked">Whether what its manifest marks to be loaded at a start is in memory too.</param>
    /// <returns>The variants to load, or why there are none.</returns>
    public static (IReadOnlyList<ModelVariant> Wanted, string? Refusal) Judge(
        string model, IReadOnlyList<ModelVariant> next, IReadOnlyList<ModelVariant> current, IReadOnlyCollection<Precision> loaded, string device,
        PrecisionPreference usual, bool isForward, bool loadsMarked = true)
    {
        var choice = VariantSelection.Choose(model, next, device, variant => loaded.Contains(variant.Precision), usual);
        if (choice.Variant is not { } chosen) return ([], choice.Error!.Message);
        if (VariantSelection.On(chosen, device) is { } measured)
        {
            if (!measured.IsWithinTolerance)
            {
                return ([], $"its {PrecisionName.Of(chosen.Precision)} variant is {measured.AccuracyDrop:0.##} points below fp32, and "
                    + $"{measured.Tolerance:0.##} are tolerated");
            }

            var before = current.Count == 0 ? null
                : VariantSelection.Choose(model, current, device, variant => loaded.Contains(variant.Precision), usual).Variant;
            var required = before is null ? null : VariantSelection.On(before, device);
            var lost = required is null ? 0 : (required.Accuracy - measured.Accuracy) * 100;
            if (isForward && lost > measured.Tolerance)
            {
                return ([], $"its {PrecisionName.Of(chosen.Precision)} variant answers {measured.Accuracy * 100:0.##} % right, "
                    + $"{lost:0.##} points below the version that serves, and {measured.Tolerance:0.##} are tolerated: "
                    + "`r1 model activate --less-accurate` lets it serve all the same");
            }
        }

        return ([chosen,
            .. next.Where(variant => variant != chosen && (loaded.Contains(variant.Precision) || (loadsMarked && variant.Preload)))
                .DistinctBy(variant => variant.Precision)], null);
    }
}
