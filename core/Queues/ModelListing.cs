using R1Serverless.Abstractions;

namespace R1Serverless.Queues;

/// <summary>Folds the registrations of several workers into one list of models.</summary>
public static class ModelListing
{
    /// <summary>Each model once, in the order of first mention: devices side by side, variants of all workers, loaded where any has them loaded,
    /// loads added up, and each version in each state with the number of workers that say so.</summary>
    public static IReadOnlyList<ServedModel> Of(IReadOnlyList<WorkerRegistration> registrations) =>
        [.. registrations.SelectMany(worker => worker.Models).GroupBy(model => model.Id, StringComparer.Ordinal)
            .Select(group => Merge([.. group]))];

    private static ServedModel Merge(ServedModel[] same) => same is [var only] ? only : same[0] with
    {
        Device = string.Join(", ", same.Select(model => model.Device).Distinct(StringComparer.Ordinal)),
        Variants = [.. same.SelectMany(model => model.Variants).GroupBy(variant => (variant.Precision, variant.Bytes))
            .Select(group => Merge([.. group]))],
        Versions = [.. same.SelectMany(model => model.Versions).GroupBy(one => (one.Version, one.State, one.Reason))
            .Select(group => group.First() with { Workers = group.Sum(one => one.Workers) })],
    };

    private static ServedVariant Merge(ServedVariant[] same)
    {
        VariantLife[] lives = [.. same.Select(variant => variant.Loaded).OfType<VariantLife>()];
        return same[0] with
        {
            Evaluation = same.Select(variant => variant.Evaluation).FirstOrDefault(evaluation => evaluation is not null),
            Loaded = lives is [var first, ..] ? first with { Running = lives.Sum(life => life.Running), Waiting = lives.Sum(life => life.Waiting) }
                : null,
        };
    }
}
