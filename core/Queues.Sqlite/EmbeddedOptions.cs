namespace R1Serverless.Queues.Sqlite;

/// <summary>Times of the embedded transport. All processes that share a folder should have the same.</summary>
public sealed record EmbeddedOptions
{
    /// <summary>How long a lease lasts unless renewed, from 0.1 seconds up.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long replies wait for a gateway in another process before it is taken for dead.</summary>
    public TimeSpan ReplyAge { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The machine's clock, which decides when leases end, so that the processes' own ideas of the time don't matter; a test's may run
    /// ahead.</summary>
    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    internal long Milliseconds => Clock.GetUtcNow().ToUnixTimeMilliseconds();
}
