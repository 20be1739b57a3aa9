namespace R1Serverless.Queues;

/// <summary>What an operator may say about how a worker drains the queues.</summary>
public sealed record QueueWorkerOptions
{
    /// <summary>How long requests may still run after leasing has stopped; what is left is handed back.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A request that fails in the engine at its delivery of this number, or a later one, is dead-lettered; at least 1.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>Deliveries of one request, whatever became of them, from <see cref="MaxAttempts"/> up. Workers die, are stopped or are full through
    /// no fault of what they run, and take all they hold with them: only a request that ends its worker each time comes so far, and is dead-lettered
    /// then. A service that counts deliveries itself must allow at least as many.</summary>
    public int MaxDeliveries { get; init; } = 50;

    /// <summary>Requests leased at one time, at least 2: one of each class.</summary>
    public int MaxOutstanding { get; init; } = 1024;

    /// <summary>How long one ask for leases waits for the first; not a delay, since the first to come ends the wait.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);
}
