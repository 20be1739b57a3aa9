using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>
/// Which variant serves a request: the one it names, or else ("auto") the fastest on this device among those whose measured accuracy is close enough.
/// What is loaded already goes before what would have to be loaded; what was not measured is chosen only where nothing else can be, and
/// then the most exact of it.
/// </summary>
/// <param name="Variant">The variant; null where there is none to choose, and <see cref="Error"/> says why.</param>
/// <param name="Reason">One sentence for the client.</param>
/// <param name="Error">What the client is told instead.</param>
public sealed record VariantSelection(ModelVariant? Variant, string Reason, InferenceError? Error = null)
{
    /// <summary>
    /// Variants are compared by their speed with this many rows at once: a busy server's step, and on most machines already far from the speed of one
    /// row alone. Where it was not measured, the nearest number counts.
    /// </summary>
    public const int ComparedRows = 8;

    /// <param name="model">The model's id, for messages.</param>
    /// <param name="variants">At least one; what can't be used is left out.</param>
    /// <param name="device">The execution provider: cpu or cuda.</param>
    /// <param name="isLoaded">Whether a variant is in memory.</param>
    /// <param name="preference">What the request asks for.</param>
    /// <param name="noise">The standard deviation of the noise in the request's inputs, in their unit; null where it is not measured.</param>
    public static VariantSelection Choose(string model, IReadOnlyList<ModelVariant> variants, string device, Func<ModelVariant, bool> isLoaded,
        PrecisionPreference preference, double? noise = null) =>
        preference.Named is { } named ? Named(model, variants, named, preference.IsServerDefault)
        : Auto(model, variants, device, isLoaded, preference.MaxAccuracyDrop, noise);

    /// <summary>Tokens per second of an evaluation with <see cref="ComparedRows"/> rows or as near to that as was measured; null where nothing
    /// was.</summary>
    public static double? Speed(VariantEvaluation evaluation) => evaluation.TokensPerSecond.Count == 0
        ? null
        : evaluation.TokensPerSecond.OrderBy(measured => Math.Abs(measured.Key - ComparedRows)).ThenBy(measured => measured.Key).First().Value;

    /// <summary>What was measured on a device; null where nothing was.</summary>
    public static VariantEvaluation? On(ModelVariant variant, string device) =>
        variant.Evaluations.FirstOrDefault(evaluation => evaluation.Device == device);

    private static VariantSelection Named(string model, IReadOnlyList<ModelVariant> variants, Precision named, bool byServer)
    {
        if (variants.FirstOrDefault(variant => variant.Precision == named) is { } found)
            return new VariantSelection(found, byServer ? "this server's default" : "named in the request");
        var there = string.Join(", ",
            variants.Select(variant => variant.Precision).Distinct().Order().Select(PrecisionName.Of).Append(PrecisionName.Auto));
        var error = new InferenceError(
            InferenceErrorKind.InvalidRequest, $"'{model}' has no {PrecisionName.Of(named)} variant; 'precision' can be one of {there}.",
            "precision");
        return new VariantSelection(null, error.Message, error);
    }

    private static VariantSelection Auto(string model, IReadOnlyList<ModelVariant> variants, string device, Func<ModelVariant, bool> isLoaded,
        double maxDrop, double? noise)
    {
        Measured[] measured = [.. variants.Select(variant => Measured.Of(variant, device, noise)).OfType<Measured>()];
        Measured[] eligible =
            [.. measured.Where(one => one.Evaluation.IsWithinTolerance && one.Drop <= maxDrop).OrderByDescending(one => one.Speed)];
        var best = eligible.FirstOrDefault(one => isLoaded(one.Variant)) ?? eligible.FirstOrDefault();
        var noisy = noise is null ? "" : Invariant($" at noise {noise:0.###}");
        var limit = Invariant($"{maxDrop:0.##} points{noisy}");
        if (best is null)
        {
            // Never one that was found to be beyond its tolerance.
            if (variants.Where(variant => On(variant, device) is not { IsWithinTolerance: false })
                .MinBy(variant => variant.Precision) is not { } exact) return BeyondTolerance(model, variants);
            return new VariantSelection(exact, measured.Length == 0
                ? "not measured on this device: the most exact variant; `r1 model evaluate` measures"
                : Array.TrueForAll(measured, one => one.Drop is null) ? $"more noise than was measured{noisy}: the most exact variant"
                : $"none measured within {limit}: the most exact variant");
        }

        var rank = best == eligible[0] ? "fastest" : "fastest loaded";
        var unit = best.Evaluation.Noise is null ? "tokens" : "requests";
        return new VariantSelection(best.Variant, Invariant($"{rank} within {limit}: {best.Speed:N0} {unit}/s{Drop(best)}"));
    }

    private static VariantSelection BeyondTolerance(string model, IReadOnlyList<ModelVariant> variants)
    {
        var there = string.Join(", ", variants.Select(variant => variant.Precision).Distinct().Order().Select(PrecisionName.Of));
        var error = new InferenceError(
            InferenceErrorKind.InvalidRequest,
            $"'auto' has nothing to choose for '{model}': {there} lost more accuracy than tolerated. "
            + "Name one in 'precision' to have it all the same.", "precision");
        return new VariantSelection(null, error.Message, error);
    }

    private static string Drop(Measured one)
    {
        var drop = Math.Round(one.Drop!.Value, 1, MidpointRounding.AwayFromZero);
        if (one.Variant.Precision == Precision.Fp32) return "";
        return drop == 0 ? ", as accurate as fp32" : Invariant($", {Math.Abs(drop):0.0} points {(drop > 0 ? "below" : "above")} fp32");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Measured(ModelVariant Variant, VariantEvaluation Evaluation, double Speed, double? Drop)
    {
        public static Measured? Of(ModelVariant variant, string device, double? noise) =>
            On(variant, device) is { } evaluation && VariantSelection.Speed(evaluation) is { } speed
                ? new Measured(variant, evaluation, speed, evaluation.DropAt(noise)) : null;
    }
}
