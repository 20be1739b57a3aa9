namespace R1Serverless.Tests.Benchmarks;

public sealed class MemoryBandwidthTests
{
    [Fact]
    public void It_is_a_rate()
    {
        var memory = new MemoryBandwidth(bytes: 64 << 20);
        Assert.True(double.IsFinite(memory.Measure()));
        // From half a gigabyte a second, a busy machine's, to two terabytes, which no memory gives: off by a thousand, it is outside.
        Assert.InRange(memory.Measure(), 5e8, 2e12);
    }
}
