namespace R1Serverless.Tests.Faults;

/// <summary>The clock of a process that is set wrong. Elapsed time passes as everywhere.</summary>
internal sealed class OffsetTime(TimeSpan offset) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + offset;
}
