using R1Serverless.Bench;

namespace R1Serverless.Tests.Bench;

public sealed class MemoryBandwidthTests
{
    [Fact]
    public void It_is_a_rate()
    {
        var memory = new MemoryBandwidth(bytes: 1 << 20);
        Assert.True(double.IsFinite(memory.Measure()));
        // More than a disk gives, less than any processor's registers: off by a unit, it would be outside.
        Assert.InRange(memory.Measure(), 1e7, 1e14);
    }
}
