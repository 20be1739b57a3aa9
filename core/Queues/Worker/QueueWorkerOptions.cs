namespace R1Serverless.Queues;

/// <summary>What an operator may say about how a worker drains the queues.</summary>
public sealed record QueueWorkerOptions
{
    /// <summary>How long requests may still run after leasing has stopped; what is left is handed back.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Deliveries of one request, at least 1. One that has had more, or fails at the last of them, is dead-lettered.</summary>
    public int MaxDeliveries { get; init; } = 5;

    /// <summary>Requests leased at one time, at least 2: one of each class.</summary>
    public int MostOutstanding { get; init; } = 1024;

    /// <summary>How long one ask for leases waits for the first; not a delay, since the first to come ends the wait.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);
}
