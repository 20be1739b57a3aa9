using System.Text.Json.Serialization;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues;

/// <summary>A request on its way to a worker. What the worker makes of it goes to the result store under the request's id, and, if somebody listens,
/// to a reply address as it happens.</summary>
public sealed record QueuedRequest
{
    public required InferenceRequest Request { get; init; }

    public required WorkClass Class { get; init; }

    /// <summary>Where events go, see <see cref="IReplyChannel.Address"/>; null where nobody listens.</summary>
    public string? ReplyTo { get; init; }

    /// <summary>The batch that the request is a line of; null for none. A cancelled batch cancels its lines.</summary>
    public string? Batch { get; init; }

    /// <summary>Any worker may take it, whatever it serves: see <see cref="RequestRoute.Any"/>.</summary>
    public bool IsForAny { get; init; }

    /// <summary>Which workers may lease it.</summary>
    [JsonIgnore]
    public RequestRoute Route => IsForAny ? RequestRoute.Any : RequestRoute.Of(Request);

    /// <summary>The beginnings of its prompt, shortest first: see <see cref="PrefixHashes"/>; null for none.</summary>
    public IReadOnlyList<string>? Prefixes { get; init; }

    /// <summary>The worker that has the longest of them, by its <see cref="Transport.WorkerId"/>: others may lease the request only if that one does
    /// not do so at once. Null for none; a queue may make no difference.</summary>
    public string? Worker { get; init; }

    /// <summary>The trace that the request belongs to, as in W3C Trace Context; null where none is kept.</summary>
    public string? TraceParent { get; init; }
}
