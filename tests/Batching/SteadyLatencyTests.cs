using CsCheck;
using R1Serverless.Batching;

namespace R1Serverless.Tests.Batching;

public sealed class SteadyLatencyTests
{
    [Fact]
    public void Equal_runs_are_steady_after_the_first_and_as_many_as_must_be_calm()
    {
        Assert.Equal(3, RunsUntilSteady(Enumerable.Repeat(10.0, 100)));
        Assert.Equal(6, RunsUntilSteady(Enumerable.Repeat(10.0, 100), new SteadyLatency(calm: 5)));
    }

    [Fact]
    public void Runs_that_become_faster_are_not_steady_until_they_have_become_so() =>
        Assert.InRange(RunsUntilSteady([100, 60, 40, 20, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]), 9, 16);

    [Fact]
    public void A_hiccup_of_the_machine_prolongs_nothing_once_the_median_is_known() =>
        Assert.Equal(3, RunsUntilSteady([10, 10, 90, 10, 10, 10]));

    [Fact]
    public void Nothing_is_steady_before_it_was_run()
    {
        SteadyLatency steady = new();
        Assert.False(steady.IsSteady);
        Assert.Equal(TimeSpan.Zero, steady.Median);
        steady.Observe(TimeSpan.FromMilliseconds(3));
        Assert.False(steady.IsSteady);
        Assert.Equal(3, steady.Median.TotalMilliseconds, 6);
    }

    [Fact]
    public void The_median_is_that_of_all_runs() => Gen.Double[0.001, 100].Array[1, 60].Sample(values =>
    {
        SteadyLatency steady = new();
        foreach (var value in values) steady.Observe(TimeSpan.FromSeconds(value));
        double[] sorted = [.. values.Order()];
        var middle = sorted.Length / 2;
        // Times are whole ticks.
        Assert.Equal(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2, steady.Median.TotalSeconds, 1e-6);
    });

    private static int RunsUntilSteady(IEnumerable<double> milliseconds, SteadyLatency? steady = null)
    {
        steady ??= new SteadyLatency();
        var runs = 0;
        foreach (var value in milliseconds)
        {
            steady.Observe(TimeSpan.FromMilliseconds(value));
            runs++;
            if (steady.IsSteady) return runs;
        }

        return int.MaxValue;
    }
}
