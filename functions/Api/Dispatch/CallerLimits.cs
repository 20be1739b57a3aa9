using R1Serverless.Auth;
using R1Serverless.Serving;

namespace R1Serverless.Api.Dispatch;

/// <summary>How much each caller may have at once: what its key says, else what every key may have; no limit where no key is asked for. Changes with
/// the keys.</summary>
internal sealed class CallerLimits(ServeOptions options, ActiveKeys keys)
{
    /// <summary>Requests whose clients wait.</summary>
    public int MaxConcurrent(string owner) => !options.AreKeysRequired ? int.MaxValue : Of(owner).MaxConcurrent ?? options.MaxConcurrentPerKey;

    /// <summary>Requests that wait without their clients.</summary>
    public int MaxQueued(string owner) => !options.AreKeysRequired ? int.MaxValue : Of(owner).MaxQueued ?? options.MaxQueuedPerKey;

    private KeyLimits Of(string owner) => keys.Ring.WithId(owner)?.Limits ?? KeyLimits.None;
}
