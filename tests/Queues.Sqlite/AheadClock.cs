namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>The system's clock, but ahead by as much as it is told.</summary>
internal sealed class AheadClock : TimeProvider
{
    private long _ticks;

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref _ticks));
}
