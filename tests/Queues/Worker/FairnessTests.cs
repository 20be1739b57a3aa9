using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Worker;

/// <summary>How interactive and bulk work share an engine.</summary>
public sealed class FairnessTests
{
    [Fact]
    public void A_flood_of_interactive_work_leaves_bulk_work_its_share() => Run(async (world, drain) =>
    {
        var engine = drain.Engine(slots: 16);
        drain.Broker.Enqueue(Enumerable.Range(0, 2000).Select(i => DrainWorld.Request($"i{i}", 10)));
        drain.Broker.Enqueue(Enumerable.Range(0, 500).Select(i => DrainWorld.Request($"b{i}", 10, WorkClass.Bulk)));
        drain.Work(engine);
        await world.UntilAsync(() => engine.Started.Count >= 800);

        var bulk = engine.Started.Skip(100).Take(700).Count(IsBulk);
        Assert.InRange(bulk, 700 / 16, 700 / 6);
    }, grace: TimeSpan.Zero);

    [Fact]
    public void An_interactive_request_does_not_wait_behind_a_backlog_of_bulk_work() => Run(async (world, drain) =>
    {
        var engine = drain.Engine(slots: 16);
        drain.Broker.Enqueue(Enumerable.Range(0, 2000).Select(i => DrainWorld.Request($"b{i}", 5 + (i % 11), WorkClass.Bulk)));
        drain.Work(engine);
        await world.PassAsync(10);
        for (var i = 0; i < 10; i++)
        {
            var asked = world.Now;
            drain.Broker.Enqueue([DrainWorld.Request($"i{i}", 5)]);
            await world.UntilAsync(() => engine.Started.Exists(request => request.Id.Value == $"i{i}"));
            // The lease, and the few that stand before it: 16 slots of ten words on average free one each 60 ms.
            Assert.InRange(world.Now - asked, TimeSpan.Zero, TimeSpan.FromMilliseconds(700));
        }
    }, grace: TimeSpan.Zero);

    [Fact]
    public void A_backlog_keeps_every_slot_busy() => Run(async (world, drain) =>
    {
        var engine = drain.Engine(slots: 32);
        drain.Broker.Enqueue(Enumerable.Range(0, 640).Select(i => DrainWorld.Request($"b{i}", 20, WorkClass.Bulk)));
        drain.Work(engine);
        await world.UntilAsync(() => drain.Broker.Left == 0);

        Assert.Equal(640, drain.Broker.Completed);
        // 20 rounds of 2 s at the least.
        Assert.InRange(world.Now.TotalSeconds, 40, 44);
        // Once, when the engine turns out to be full, as many may wait as it runs.
        Assert.InRange(engine.MaxWaiting, 1, 32);
    });

    [Fact]
    public void No_more_is_leased_than_may_be_held() => Run(async (world, drain) =>
    {
        var engine = drain.Engine(slots: 1000);
        drain.Broker.Enqueue(Enumerable.Range(0, 100).Select(i => DrainWorld.Request($"i{i}", 10)));
        drain.Broker.Enqueue(Enumerable.Range(0, 100).Select(i => DrainWorld.Request($"b{i}", 10, WorkClass.Bulk)));
        drain.Work(engine);
        await world.UntilAsync(() => drain.Broker.Left == 0);
        Assert.InRange(engine.MaxRunning, 20, 24);
    }, most: 24);

    private static bool IsBulk(InferenceRequest request) => request.Id.Value[0] == 'b';

    private static void Run(Func<VirtualTime, DrainWorld, Task> test, TimeSpan? grace = null, int most = 256) => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world) { Options = new QueueWorkerOptions { Grace = grace ?? TimeSpan.FromSeconds(30), MaxOutstanding = most } };
        await test(world, drain);
        await drain.EndAsync();
    });
}
