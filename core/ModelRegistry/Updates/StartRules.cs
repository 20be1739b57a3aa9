using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;

namespace R1Serverless.ModelRegistry.Updates;

/// <summary>What a process requires of a version that it starts with.</summary>
/// <param name="Usual">What requests get that name no precision.</param>
/// <param name="Limits">Of the host that is to take it.</param>
/// <param name="Engine">Of each variant in it.</param>
/// <param name="Preloaded">Which precisions of a model with these variants are loaded at the start.</param>
public sealed record StartRules(
    PrecisionPreference Usual,
    ModelHostOptions Limits,
    EngineOptions Engine,
    Func<string, IReadOnlyList<ModelVariant>, IReadOnlyCollection<Precision>> Preloaded)
{
    /// <summary>Why a version may not be served; null where it may.</summary>
    /// <param name="last">The variants of the version that this machine served last; empty where it is unknown.</param>
    /// <param name="isForward">Whether the version has to be as accurate as that one.</param>
    public string? Refusal(string model, IReadOnlyList<ModelVariant> next, IReadOnlyList<ModelVariant> last, bool isForward) =>
        ModelHost.Misfit(model, next, Usual, Limits, Engine)
            ?? VersionGate.Judge(model, next, last, Preloaded(model, next), Limits.Device, Usual, isForward, Limits.LoadsMarked).Refusal;
}
