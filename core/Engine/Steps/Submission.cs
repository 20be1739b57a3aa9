using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Steps;

/// <summary>Whether an engine took a request.</summary>
internal enum Submission
{
    Accepted,

    /// <summary>Too many wait already.</summary>
    Full,

    /// <summary>The engine ends: another worker, or this one started again, may take it.</summary>
    Stopping,
}

/// <summary>What a client is told of a request that was not taken.</summary>
internal static class SubmissionErrors
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    public static InferenceError ToError(this Submission refused) => refused == Submission.Full
        ? new InferenceError(InferenceErrorKind.QueueFull, "The queue is full. Retry later.", RetryAfter: RetryLater)
        : new InferenceError(InferenceErrorKind.Unavailable, "The worker is shutting down.", RetryAfter: RetryLater);
}
