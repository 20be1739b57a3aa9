using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>
/// Which of several versions of a model a process serves that saw none of them come: the one that it would serve if each had been activated while the one before
/// served, so that what others refused takes no requests of this one either. Pure.
/// </summary>
/// <param name="Serves">Null where none may.</param>
/// <param name="Refused">Those that were activated after it, with the reasons.</param>
public sealed record VersionChoice(MeasuredVersion? Serves, IReadOnlyList<(MeasuredVersion Version, string Reason)> Refused)
{
    /// <param name="versions">The one that was activated last first.</param>
    /// <param name="loaded">The precisions that a version will have in memory.</param>
    /// <param name="device">The execution provider: cpu or cuda.</param>
    /// <param name="usual">What requests get that name no precision.</param>
    public static VersionChoice Of(
        string model, IReadOnlyList<MeasuredVersion> versions, Func<IReadOnlyList<ModelVariant>, IReadOnlyCollection<Precision>> loaded, string device, PrecisionWish usual)
    {
        MeasuredVersion? serves = null;
        List<(MeasuredVersion, string)> refused = [];
        foreach (var next in versions.Reverse())
        {
            if (next.Variants is { } variants
                && VersionGate.Judge(model, variants, serves?.Variants ?? [], loaded(variants), device, usual, isForward: next.Pushed > serves?.Pushed && !next.MayBeLessAccurate).Refusal is { } refusal)
            {
                refused.Add((next, refusal));
                continue;
            }

            serves = next;
            // Whatever was refused before it came says nothing any more.
            refused.Clear();
        }

        return new VersionChoice(serves, refused);
    }
}

/// <summary>A version with what was measured of it.</summary>
/// <param name="Pushed">When.</param>
/// <param name="Variants">Null where nothing is known of them before the version is on this machine: then nothing was measured.</param>
public sealed record MeasuredVersion(string Version, DateTimeOffset Pushed, IReadOnlyList<ModelVariant>? Variants)
{
    /// <summary>Whether it may answer fewer right than the one before it, as whoever activated it said.</summary>
    public bool MayBeLessAccurate { get; init; }
}
