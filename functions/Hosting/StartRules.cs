using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>What this process asks of a version that it starts with.</summary>
/// <param name="Options">As the command line has them.</param>
/// <param name="Limits">Of the host that is to take it.</param>
/// <param name="Engine">Of each variant in it.</param>
internal sealed record StartRules(ServeOptions Options, ModelHostOptions Limits, EngineOptions Engine)
{
    /// <summary>What requests get that name no precision.</summary>
    public PrecisionWish Usual => new(Options.Precision) { IsServerDefault = true };

    /// <summary>Which version of a model the evaluations allow, the last one first.</summary>
    public VersionChoice Choose(string model, IReadOnlyList<MeasuredVersion> versions) =>
        VersionChoice.Of(model, versions, variants => PreloadNames.Precisions(Options.Load, model, variants), Limits.Device, Usual);

    /// <summary>Why a version can't be held in memory, or not with all that it marks for a start; null where it can.</summary>
    public string? Misfit(string model, IReadOnlyList<ModelVariant> variants) => ModelHost.Misfit(model, variants, Usual, Limits, Engine);
}
