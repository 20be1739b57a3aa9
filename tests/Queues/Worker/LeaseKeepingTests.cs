using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Worker;

/// <summary>Leases kept, lost and handed back.</summary>
public sealed class LeaseKeepingTests
{
    [Fact]
    public void A_long_answer_keeps_its_lease() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Broker.Enqueue([DrainWorld.Request("a", 1500)]);
        drain.Work(engine);
        await drain.ResultsAsync("a");

        Assert.Single(engine.Started);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(150), TimeSpan.FromSeconds(151));
        Assert.InRange(drain.Broker.Renewals, 150 / 10, 150 / 7);
    });

    [Fact]
    public void A_lost_lease_stops_the_run_and_nothing_more_is_published() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        FakeTransport gateway = drain.Connect(), other = drain.Connect();
        drain.Broker.Enqueue([DrainWorld.Request("a", 300, replyTo: gateway.Address)]);
        var stop = drain.Work(engine);
        await world.PassAsync(4);
        drain.Broker.Snatch(new RequestId("a"));
        var held = drain.Broker.Take(WorkClass.Interactive, 1, other).Single();
        await world.UntilAsync(() => engine.Stopped.Count == 1);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(4 + 10.1));
        var messages = drain.Broker.Messages.Count;
        await world.PassAsync(5);

        Assert.Equal(messages, drain.Broker.Messages.Count);
        Assert.Empty(drain.Broker.Store.Names);
        Assert.True(await held.CompleteAsync(CancellationToken.None));
        await stop();
    });

    [Fact]
    public void A_worker_that_cannot_renew_gives_up_when_the_lease_ends_not_before() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        var cut = drain.Connect();
        drain.Broker.Enqueue([DrainWorld.Request("a", 3000)]);
        drain.Work(engine, cut);
        await world.PassAsync(1);
        cut.IsCut = true;
        await world.PassAsync(28);
        Assert.Empty(engine.Stopped);
        await world.UntilAsync(() => engine.Stopped.Count == 1);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(33));
        Assert.Empty(drain.Broker.Store.Names);
    });

    [Fact]
    public void What_was_handed_over_after_its_lease_had_ended_is_not_started() => Run(async (world, drain) =>
    {
        ScriptedEngine late = drain.Engine(), other = drain.Engine();
        var slow = drain.Connect();
        slow.HandoverTime = TimeSpan.FromSeconds(31);
        drain.Broker.Enqueue([DrainWorld.Request("a", 20)]);
        drain.Work(late, slow);
        await world.PassAsync(30.5);
        drain.Work(other);
        await drain.ResultsAsync("a");

        Assert.Empty(late.Started);
        Assert.Single(other.Started);
        Assert.Equal(1, drain.Broker.Completed);
    });

    [Fact]
    public void What_was_handed_over_late_is_renewed_before_its_lease_ends() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        var slow = drain.Connect();
        slow.HandoverTime = TimeSpan.FromSeconds(25);
        drain.Broker.Enqueue([DrainWorld.Request("a", 100)]);
        drain.Work(engine, slow);
        await drain.ResultsAsync("a");

        Assert.Single(engine.Started);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(35), TimeSpan.FromSeconds(36));
    });

    [Fact]
    public void Two_deliveries_at_one_time_make_one_result() => Run(async (world, drain) =>
    {
        ScriptedEngine first = drain.Engine(), second = drain.Engine();
        first.Word = (_, i) => $"first{i} ";
        second.Word = (_, i) => $"second{i} ";
        drain.Broker.Enqueue([DrainWorld.Request("a", 20)]);
        var stopFirst = drain.Work(first);
        await world.UntilAsync(() => first.Started.Count == 1);
        var stopped = stopFirst();
        drain.Broker.Snatch(new RequestId("a"));
        drain.Work(second);
        await stopped;
        await world.UntilAsync(() => drain.Broker.Left == 0);

        Assert.Single(second.Started);
        Assert.Equal(1, drain.Broker.Completed);
        Assert.StartsWith("first0 ", (await drain.ResultsAsync("a")).Single().Choices.Single().AllText(), StringComparison.Ordinal);
    });

    [Fact]
    public void A_broker_that_is_away_for_ten_seconds_costs_no_work() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Broker.Enqueue(Enumerable.Range(0, 20).Select(i => DrainWorld.Request($"r{i}", 40)));
        drain.Work(engine);
        await world.PassAsync(3.5);
        drain.Broker.IsDown = true;
        await world.PassAsync(10);
        drain.Broker.IsDown = false;
        var results = await drain.ResultsAsync(Enumerable.Range(0, 20).Select(i => $"r{i}"));
        await world.UntilAsync(() => drain.Broker.Left == 0);

        Assert.All(results, result => Assert.Equal(ScriptedEngine.Text(40), result.Choices.Single().AllText()));
        Assert.Equal(20, engine.Started.Count);
        Assert.Equal(20, drain.Broker.Completed);
    });

    [Fact]
    public void A_worker_that_is_stopped_lets_its_work_finish_and_leases_no_more() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Broker.Enqueue([DrainWorld.Request("a", 100)]);
        var stop = drain.Work(engine);
        await world.PassAsync(1);
        var stopped = stop();
        drain.Broker.Enqueue([DrainWorld.Request("b", 1)]);
        await stopped;

        Assert.Equal(RequestOutcome.Finished, (await drain.ResultsAsync("a")).Single().Outcome);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(11));
        Assert.Equal(1, drain.Broker.Left);
    });

    [Fact]
    public void What_runs_past_the_grace_period_is_handed_back_at_once() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Broker.Enqueue([DrainWorld.Request("a", 1000)]);
        var stop = drain.Work(engine);
        await world.PassAsync(1);
        await stop();

        Assert.InRange(world.Now, TimeSpan.FromSeconds(31), TimeSpan.FromSeconds(31.2));
        Assert.Equal([TimeSpan.Zero], drain.Broker.Abandoned);
        Assert.Empty(drain.Broker.Store.Names);
        Assert.Equal(2, drain.Broker.Take(WorkClass.Interactive, 1, drain.Connect()).Single().DequeueCount);
    });

    [Fact]
    public void A_worker_stops_in_time_even_when_nothing_can_be_handed_back() => Run(async (world, drain) =>
    {
        drain.Broker.Enqueue([DrainWorld.Request("a", 1000)]);
        var stop = drain.Work(drain.Engine());
        await world.PassAsync(1);
        drain.Broker.IsDown = true;
        await stop();
        Assert.InRange(world.Now, TimeSpan.FromSeconds(11), TimeSpan.FromSeconds(11.1));
        drain.Broker.IsDown = false;
    }, grace: 5);

    private static void Run(Func<VirtualTime, DrainWorld, Task> test, double grace = 30) => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world) { Options = new QueueWorkerOptions { Grace = TimeSpan.FromSeconds(grace) } };
        await test(world, drain);
        await drain.EndAsync();
    });
}
