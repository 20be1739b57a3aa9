using Microsoft.Extensions.Time.Testing;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>Dummy runs: which shapes, and when they end.</summary>
public sealed class WarmupTests
{
    private static readonly TimeSpan StepTime = TimeSpan.FromMilliseconds(250);

    private readonly FakeTimeProvider _time = new();
    private readonly List<WarmupShape> _shapes = [];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 100)]
    [InlineData(100, 300)]
    [InlineData(4096, 256)]
    [InlineData(4096, 1_000_000)]
    [InlineData(131_072, 100_000)]
    public void Every_shape_fits_into_what_the_scheduler_may_use(int context, long tokens)
    {
        SchedulerLimits limits = new(context, tokens, StepTime);
        var shapes = WarmupGrid.Of(limits);
        Assert.NotEmpty(shapes);
        Assert.Equal(shapes.Select(one => one.Work).Order(), shapes.Select(one => one.Work));
        Assert.Equal(shapes.Distinct().Count(), shapes.Count);
        Assert.All(shapes, shape =>
        {
            Assert.InRange(shape.Tokens, 0, limits.MaxSlotLength);
            Assert.True(shape.Rows == 1 || shape.Rows * LengthBuckets.For(Math.Max(1, shape.Tokens), limits.MaxSlotLength) <= tokens);
        });
    }

    [Fact]
    public void Prompts_up_to_a_chunk_and_decode_steps_up_to_a_large_batch_are_run()
    {
        var shapes = WarmupGrid.Of(new SchedulerLimits(4096, 1_000_000, StepTime));
        Assert.Contains(new WarmupShape(true, 1, PrefillRules.ChunkTokens), shapes);
        Assert.Contains(shapes, one => one is { IsPrefill: true, Rows: > 1 });
        Assert.Equal([1, 2, 4, 8, 16, 32], shapes.Where(one => !one.IsPrefill).Select(one => one.Rows));
    }

    [Fact]
    public void Runs_that_take_the_same_time_end_when_each_shape_is_steady()
    {
        var (result, runner) = Run(_ => TimeSpan.FromMilliseconds(1));
        Assert.True(result.IsSteady);
        Assert.Equal(WarmupGrid.Of(Limits).Count * 3, result.Runs);
        Assert.Equal(result.Runs, runner.Steps);
        // Each shape, the cheapest first, and all of them three times.
        Assert.Equal(Enumerable.Repeat(WarmupGrid.Of(Limits), 3).SelectMany(shapes => shapes), _shapes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_variant_that_is_opened_is_warmed_unless_the_operator_does_not_want_it(bool warmsUp)
    {
        var variant = TestModels.Nano.Manifest.Variants[0];
        // By a clock that stands, no run takes too long to be made.
        await using var loaded =
            LoadedVariant.OpenAlone(TestModels.Nano, variant, new RuntimeOptions { Device = DeviceKind.Cpu },
                new EngineOptions { KvMemory = 1 << 20, WarmsUp = warmsUp }, _time);
        if (warmsUp) Assert.InRange(loaded.Warmup.Runs, 1, VariantWarmup.MaxRuns);
        else Assert.Equal(0, loaded.Warmup.Runs);
    }

    [Fact]
    public void Runs_that_never_become_steady_end_at_a_hundred()
    {
        var (result, _) = Run(run => TimeSpan.FromMilliseconds(4 * Math.Pow(0.97, run)));
        Assert.Equal(new WarmupResult(VariantWarmup.MaxRuns, false), result);
    }

    [Fact]
    public void Slow_models_are_warmed_for_a_moment_with_their_cheapest_shapes()
    {
        var (result, _) = Run(_ => TimeSpan.FromMilliseconds(50));
        Assert.False(result.IsSteady);
        Assert.InRange(_time.GetUtcNow() - _time.Start, TimeSpan.FromSeconds(0.05), TimeSpan.FromSeconds(0.2));
        Assert.InRange(result.Runs, 1, 4);
    }

    [Fact]
    public void What_was_run_before_counts()
    {
        var (alone, _) = Run(_ => TimeSpan.FromMilliseconds(20));
        var (after, _) = Run(_ => TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(0.1));
        Assert.InRange(after.Runs, 1, alone.Runs - 4);
    }

    [Fact]
    public void A_model_whose_runs_take_long_is_not_warmed_beyond_what_was_run_before()
    {
        var (result, runner) = Run(_ => TimeSpan.FromMilliseconds(80), TimeSpan.FromSeconds(0.16));
        Assert.Equal(new WarmupResult(0, false), result);
        Assert.Equal(0, runner.Steps);
    }

    [Fact]
    public void A_run_that_fails_fails_the_load()
    {
        using FakeRunner runner = new() { Fault = new InvalidOperationException("broken") };
        Assert.Contains("broken", Assert.Throws<ModelLoadException>(() => VariantWarmup.Run(runner, Limits, TimeSpan.Zero, _time)).Message,
            StringComparison.Ordinal);
    }

    private static SchedulerLimits Limits => new(4096, 100_000, StepTime);

    private (WarmupResult Result, FakeRunner Runner) Run(Func<int, TimeSpan> takes, TimeSpan spent = default)
    {
        FakeRunner runner = new() { OnRun = _shapes.Add };
        var run = 0;
        runner.FitsInMemory = _ =>
        {
            _time.Advance(takes(run++));
            return true;
        };
        return (VariantWarmup.Run(runner, Limits, spent, _time), runner);
    }
}
