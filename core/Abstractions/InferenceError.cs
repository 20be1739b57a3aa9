namespace R1Serverless.Abstractions;

/// <summary>Why a request failed, in words for the client. Expected outcomes are values; only bugs and I/O throw.</summary>
/// <param name="Kind">What the client's software decides by.</param>
/// <param name="Message">One or two sentences that say what was expected.</param>
/// <param name="Field">The request field at fault, as the client named it; null where none is.</param>
/// <param name="RetryAfter">When a retry may succeed; null where it would not help.</param>
public sealed record InferenceError(InferenceErrorKind Kind, string Message, string? Field = null, TimeSpan? RetryAfter = null);

public enum InferenceErrorKind
{
    InvalidRequest,
    ModelNotFound,
    ContextLengthExceeded,

    /// <summary>What came before a series' events is not here; with the history it can be rebuilt.</summary>
    WindowMissing,

    /// <summary>A series' events have been taken already, and were others.</summary>
    SequencePassed,

    /// <summary>The queue is full; nothing was started.</summary>
    QueueFull,

    /// <summary>The sequence does not fit into the device's memory, even alone.</summary>
    OutOfMemory,

    /// <summary>The worker is shutting down or not loaded yet.</summary>
    Unavailable,

    /// <summary>A fault of ours.</summary>
    Internal,

    /// <summary>The client took the request back.</summary>
    Cancelled,

    /// <summary>The request's deadline passed before it was finished.</summary>
    DeadlineExceeded,

    /// <summary>Every delivery to a worker ended without a result.</summary>
    Undeliverable,
}
