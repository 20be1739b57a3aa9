namespace R1Serverless.Queues;

/// <summary>What an operator may say about requests that a gateway sends through the queue.</summary>
public sealed record QueuedInferenceOptions
{
    /// <summary>How long after a request's deadline the gateway still waits for what the worker says about it.</summary>
    public TimeSpan DeadlineMargin { get; init; } = TimeSpan.FromSeconds(3);
}
