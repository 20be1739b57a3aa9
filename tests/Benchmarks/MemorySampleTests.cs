namespace R1Serverless.Tests.Benchmarks;

public sealed class MemorySampleTests
{
    [Fact]
    public void Growth_is_that_of_the_second_half()
    {
        // A leap of warm-up, then 10 bytes a request, once a little more and once a little less.
        MemorySample[] samples =
        [
            new(100, 0, 7), new(200, 5_000_000, 7), new(300, 6_000_000, 7), new(400, 6_001_010, 7), new(500, 6_001_990, 7), new(600, 6_003_000, 7),
        ];
        Assert.Equal(9.98, MemorySample.Growth(samples, one => one.Resident)!.Value, 0.01);
        Assert.Equal(0, MemorySample.Growth(samples, one => one.Heap));
    }

    [Fact]
    public void One_sample_says_nothing_of_growth()
    {
        Assert.Null(MemorySample.Growth([], one => one.Heap));
        Assert.Null(MemorySample.Growth([new(100, 1, 1), new(1000, 2, 2)], one => one.Heap));
    }
}
