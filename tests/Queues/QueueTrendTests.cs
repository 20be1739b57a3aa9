using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

public sealed class QueueTrendTests
{
    [Fact]
    public void A_backlog_that_falls_tells_its_rate()
    {
        // 2,000 requests at once, 50 a second leave.
        QueueTrend trend = new();
        trend.Add(TimeSpan.Zero, new QueueStatistics(0, null, 0, null));
        var signal = QueueSignal.None;
        for (var t = 2; t <= 20; t += 2)
            signal = trend.Add(TimeSpan.FromSeconds(t), new QueueStatistics(2000 - (50 * (t - 2)), null, 0, TimeSpan.FromSeconds(t - 1)));
        Assert.InRange(signal.DrainRate, 49, 51);
        Assert.InRange(signal.EstimatedWait.TotalSeconds, 1100 / 51.0, 1100 / 49.0);
    }

    [Theory]
    [InlineData(20, 20)]
    [InlineData(20, 30)]
    [InlineData(20, 10)]
    public void A_queue_that_is_filled_all_the_while_tells_its_rate_too(double drains, double arrives)
    {
        // First in, first out, with 200 waiting at the start, which came at the same rate.
        QueueTrend trend = new();
        var signal = QueueSignal.None;
        var before = -200 / arrives;
        for (var t = 0; t <= 16; t += 2)
        {
            var waiting = 200 + ((arrives - drains) * t);
            var oldest = before + (drains * t / arrives);
            signal = trend.Add(TimeSpan.FromSeconds(t), new QueueStatistics((long)waiting, null, 0, TimeSpan.FromSeconds(t - oldest)));
        }

        Assert.InRange(signal.DrainRate, drains * 0.75, drains * 1.05);
        Assert.InRange(signal.EstimatedWait.TotalSeconds, signal.Statistics.Waiting / drains * 0.95, signal.Statistics.Waiting / drains * 1.4);
        Assert.InRange(signal.ArrivalRate, arrives * 0.75, arrives * 1.05);
    }

    [Fact]
    public void While_nothing_drains_the_wait_is_that_of_the_oldest()
    {
        QueueTrend trend = new();
        var signal = QueueSignal.None;
        for (var t = 0; t <= 40; t += 2)
            signal = trend.Add(TimeSpan.FromSeconds(t), new QueueStatistics(10 + t, null, 0, TimeSpan.FromSeconds(t + 1)));
        Assert.Equal((0, TimeSpan.FromSeconds(41)), (signal.DrainRate, signal.EstimatedWait));
        Assert.Equal(1, signal.ArrivalRate, 2);
    }

    [Fact]
    public void An_empty_queue_costs_no_wait() =>
    Assert.Equal(TimeSpan.Zero, new QueueTrend().Add(TimeSpan.Zero, new QueueStatistics(0, null, 0, null)).EstimatedWait);

    [Fact]
    public void Signals_are_sampled_while_they_run_and_survive_a_fault() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        using QueueSignals signals = new(drain.Connect().Queue, world.Clock, NullLogger.Instance);
        using CancellationTokenSource stop = new();
        var running = signals.RunAsync(stop.Token);
        drain.Broker.Enqueue(Enumerable.Range(0, 300).Select(i => DrainWorld.Request($"b{i}", 10, WorkClass.Bulk)));
        await world.PassAsync(2.5);
        Assert.Equal(300, signals.Of(WorkClass.Bulk).Statistics.Waiting);
        Assert.Equal(0, signals.Of(WorkClass.Interactive).Statistics.Waiting);
        drain.Work(drain.Engine(slots: 10));
        await world.PassAsync(10);
        // Ten slots, a second each: ten a second.
        Assert.InRange(signals.Of(WorkClass.Bulk).DrainRate, 8, 12);
        Assert.InRange(signals.EstimatedWait(WorkClass.Bulk, "m").TotalSeconds, 15, 26);
        drain.Broker.IsDown = true;
        await world.PassAsync(3);
        Assert.InRange(signals.EstimatedWait(WorkClass.Bulk, "m").TotalSeconds, 15, 26);
        drain.Broker.IsDown = false;
        stop.Cancel();
        await running;
        await drain.EndAsync();
    });
}
