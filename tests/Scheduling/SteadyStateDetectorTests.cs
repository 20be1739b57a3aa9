using CsCheck;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Scheduling;

public sealed class SteadyLatencyTests
{
    [Fact]
    public void Equal_runs_are_steady_after_the_first_and_as_many_as_must_be_calm()
    {
        Assert.Equal(3, RunsUntilSteady(Enumerable.Repeat(1.0, 100)));
        Assert.Equal(6, RunsUntilSteady(Enumerable.Repeat(1.0, 100), new SteadyStateDetector(calm: 5)));
    }

    [Fact]
    public void Of_long_runs_one_calm_one_is_enough() => Assert.Equal(2, RunsUntilSteady(Enumerable.Repeat(20.0, 100)));

    [Fact]
    public void Runs_that_become_faster_are_not_steady_until_they_have_become_so() =>
        Assert.Equal(7, RunsUntilSteady([4.9, 4, 3, 2, 1, 1, 1, 1, 1]));

    [Fact]
    public void A_little_faster_is_as_fast()
    {
        Assert.Equal(3, RunsUntilSteady([1, 0.96, 0.93]));
        Assert.Equal(5, RunsUntilSteady([1, 0.96, 0.9, 0.9, 0.9]));
    }

    [Theory]
    [InlineData(1.0, 9.0, 1.0)]
    [InlineData(40.0, 1.0, 1.0, 1.0)]
    [InlineData(40.0, 3.0, 1.0, 9.0, 1.0)]
    public void Neither_a_cold_first_run_nor_a_hiccup_of_the_machine_prolongs_it(params double[] milliseconds) =>
        Assert.Equal(milliseconds.Length, RunsUntilSteady([.. milliseconds, 1, 1, 1]));

    [Fact]
    public void Nothing_is_steady_before_it_was_run()
    {
        SteadyStateDetector steady = new();
        Assert.False(steady.IsSteady);
        Assert.Equal(TimeSpan.Zero, steady.Best);
        steady.Observe(TimeSpan.FromMilliseconds(3));
        Assert.False(steady.IsSteady);
        Assert.Equal(3, steady.Best.TotalMilliseconds, 6);
    }

    [Fact]
    public void The_best_is_that_of_all_runs() => Gen.Double[0.001, 100].Array[1, 60].Sample(values =>
    {
        SteadyStateDetector steady = new();
        foreach (var value in values) steady.Observe(TimeSpan.FromSeconds(value));
        // Times are whole ticks.
        Assert.Equal(values.Min(), steady.Best.TotalSeconds, 1e-6);
    });

    private static int RunsUntilSteady(IEnumerable<double> milliseconds, SteadyStateDetector? steady = null)
    {
        steady ??= new SteadyStateDetector();
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
