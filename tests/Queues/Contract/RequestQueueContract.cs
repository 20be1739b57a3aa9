using System.Text;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>Every queue: enqueue and lease, what becomes of a lease, and what the operator sees.</summary>
public abstract class RequestQueueContract : DeliveryContract
{
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(0.5);

    [Fact]
    public async Task A_lease_that_ends_unattended_is_given_to_another()
    {
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        var first = Assert.Single(await LeaseAsync(Worker, 1));
        Assert.Empty(await Gateway.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));

        await Fixture.PassAsync(Worker.Queue.LeaseTime + Slack);

        var second = Assert.Single(await LeaseAsync(Gateway, 1));
        Assert.Equal(first.Message.Request.Id, second.Message.Request.Id);
        Assert.Equal(2, second.DequeueCount);
        Assert.True(second.Age >= Worker.Queue.LeaseTime);
    }

    [Fact]
    public async Task A_request_that_names_a_worker_which_is_gone_goes_to_another()
    {
        await Gateway.Queue.EnqueueAsync([Request("a") with { Worker = "gone", Prefixes = ["p"] }], Stop);
        await Fixture.PassAsync(Slack);
        var lease = Assert.Single(await LeaseAsync(Worker, 1));
        Assert.Equal("gone", lease.Message.Worker);
        Assert.True(await lease.CompleteAsync(Stop));
    }

    [Fact]
    public async Task A_request_that_names_a_worker_goes_to_it()
    {
        await Gateway.Queue.EnqueueAsync([Request("a") with { Worker = Worker.WorkerId, Prefixes = ["p"] }], Stop);
        Assert.Equal(["a"], Ids(await LeaseAsync(Worker, 1)));
    }

    [Fact]
    public async Task A_renewed_lease_stays()
    {
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        var lease = Assert.Single(await LeaseAsync(Worker, 1));
        for (var i = 0; i < 3; i++)
        {
            await Fixture.PassAsync(Worker.Queue.LeaseTime * 0.6);
            Assert.True(await lease.RenewAsync(Stop));
        }

        Assert.Empty(await Gateway.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));
        Assert.True(await lease.CompleteAsync(Stop));
    }

    [Fact]
    public async Task A_lost_lease_changes_nothing()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 4), Stop);
        var lost = await LeaseAsync(Worker, 4);
        await Fixture.PassAsync(Worker.Queue.LeaseTime + Slack);
        var held = await LeaseAsync(Gateway, 4);

        Assert.False(await lost[0].RenewAsync(Stop));
        Assert.False(await lost[1].CompleteAsync(Stop));
        Assert.False(await lost[2].AbandonAsync(TimeSpan.Zero, Stop));
        Assert.False(await lost[3].DeadLetterAsync("too late", Stop));

        Assert.Empty(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 4, TimeSpan.Zero, Stop));
        foreach (var lease in held) Assert.True(await lease.CompleteAsync(Stop));
        Assert.Empty(await Worker.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 4, Stop));
    }

    [Fact]
    public async Task A_completed_request_is_gone()
    {
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        Assert.True(await Assert.Single(await LeaseAsync(Worker, 1)).CompleteAsync(Stop));
        await Fixture.PassAsync(Worker.Queue.LeaseTime + Slack);
        Assert.Empty(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));
        var after = await Worker.Queue.StatisticsAsync(WorkClass.Interactive, Stop);
        Assert.Equal((0, 0, 0), (after.Waiting, after.Leased ?? 0, after.DeadLetters));
    }

    [Fact]
    public async Task An_abandoned_request_comes_again_at_once()
    {
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        Assert.True(await Assert.Single(await LeaseAsync(Worker, 1)).AbandonAsync(TimeSpan.Zero, Stop));
        Assert.Equal(2, Assert.Single(await LeaseAsync(Gateway, 1)).DequeueCount);
    }

    [Fact]
    public async Task An_abandoned_request_waits_for_its_delay()
    {
        var delay = TimeSpan.FromSeconds(3);
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        Assert.True(await Assert.Single(await LeaseAsync(Worker, 1)).AbandonAsync(delay, Stop));
        Assert.Empty(await Gateway.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));
        await Fixture.PassAsync(delay + Slack);
        Assert.Equal(2, Assert.Single(await LeaseAsync(Gateway, 1)).DequeueCount);
    }

    [Fact]
    public async Task A_dead_letter_is_kept_with_its_reason_and_can_be_put_back()
    {
        await Gateway.Queue.EnqueueAsync([Request("a", workClass: WorkClass.Bulk), Request("b", workClass: WorkClass.Bulk)], Stop);
        var leases = await LeaseAsync(Worker, 2, WorkClass.Bulk);
        Assert.True(await leases[0].AbandonAsync(TimeSpan.Zero, Stop));
        var again = Assert.Single(await LeaseAsync(Worker, 1, WorkClass.Bulk));
        Assert.True(await again.DeadLetterAsync("delivered 2 times, each time in vain", Stop));
        Assert.True(await leases[1].CompleteAsync(Stop));

        var dead = Assert.Single(await Gateway.Queue.PeekDeadLettersAsync(WorkClass.Bulk, 10, Stop));
        Assert.Equal(("a", "delivered 2 times, each time in vain", 2), (dead.RequestId, dead.Reason, dead.DequeueCount));
        Assert.True(dead.Age >= TimeSpan.Zero);
        Assert.Empty(await Gateway.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 10, Stop));
        Assert.Empty(await Gateway.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.Zero, Stop));

        Assert.Equal(1, await Gateway.Queue.RedriveAsync(WorkClass.Bulk, 10, Stop));
        Assert.Empty(await Gateway.Queue.PeekDeadLettersAsync(WorkClass.Bulk, 10, Stop));
        var redriven = Assert.Single(await LeaseAsync(Worker, 1, WorkClass.Bulk));
        Assert.Equal(("a", 1), (redriven.Message.Request.Id.Value, redriven.DequeueCount));
        Assert.True(await redriven.CompleteAsync(Stop));
        Assert.Equal(0, await Gateway.Queue.RedriveAsync(WorkClass.Bulk, 10, Stop));
    }

    [Fact]
    public async Task No_more_dead_letters_are_put_back_than_asked_for()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 3), Stop);
        foreach (var lease in await LeaseAsync(Worker, 3)) Assert.True(await lease.DeadLetterAsync("no", Stop));
        Assert.Equal(2, (await Worker.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 2, Stop)).Count);
        Assert.Equal(2, await Worker.Queue.RedriveAsync(WorkClass.Interactive, 2, Stop));
        Assert.Single(await Worker.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 10, Stop));
        Assert.Equal(2, (await LeaseAsync(Worker, 2)).Count);
    }

    [Theory]
    [InlineData("no json at all")]
    [InlineData("{}")]
    [InlineData("""{"version":99,"body":{}}""")]
    [InlineData("\0\u0001")]
    public async Task What_no_worker_can_read_is_put_aside_at_once_and_stays_there(string body)
    {
        await Fixture.PutRawAsync(WorkClass.Interactive, Encoding.UTF8.GetBytes(body));
        await Gateway.Queue.EnqueueAsync([Request("good")], Stop);

        Assert.Equal(["good"], Ids(await LeaseAsync(Worker, 1)));
        // The two may be in different queues.
        Assert.Empty(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));

        var dead = Assert.Single(await Worker.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 10, Stop));
        Assert.Null(dead.RequestId);
        Assert.Contains("can't be read", dead.Reason, StringComparison.Ordinal);
        Assert.Equal(0, await Worker.Queue.RedriveAsync(WorkClass.Interactive, 10, Stop));
        Assert.Single(await Worker.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 10, Stop));
    }

    [Fact]
    public async Task Statistics_count_what_is_where()
    {
        var empty = await Gateway.Queue.StatisticsAsync(WorkClass.Bulk, Stop);
        Assert.Equal((0, 0, 0, null), (empty.Waiting, empty.Leased ?? 0, empty.DeadLetters, empty.OldestAge));

        await Gateway.Queue.EnqueueAsync(Requests("a", 6, workClass: WorkClass.Bulk), Stop);
        await Fixture.PassAsync(TimeSpan.FromSeconds(2));
        var leases = await LeaseAsync(Worker, 3, WorkClass.Bulk);
        Assert.True(await leases[0].DeadLetterAsync("no", Stop));
        Assert.True(await leases[1].CompleteAsync(Stop));

        var full = await Gateway.Queue.StatisticsAsync(WorkClass.Bulk, Stop);
        Assert.Equal((Fixture.TellsLeasedFromWaiting ? 3 : 4, 1, 1), (full.Waiting, full.Leased ?? 1, full.DeadLetters));
        Assert.InRange(full.OldestAge!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Assert.Equal(0, (await Gateway.Queue.StatisticsAsync(WorkClass.Interactive, Stop)).Waiting);
    }

    [Fact]
    public async Task To_look_at_what_waits_takes_nothing()
    {
        await Gateway.Queue.EnqueueAsync([Request("a") with { Batch = "b1" }, Request("b")], Stop);
        var seen = await Worker.Queue.PeekAsync(WorkClass.Interactive, 1, Stop);
        Assert.Equal(("a", "m", "b1", 0), (seen[0].RequestId, seen[0].Model, seen[0].Batch, seen[0].DequeueCount));
        Assert.Single(seen);
        Assert.Equal(2, (await Worker.Queue.PeekAsync(WorkClass.Interactive, 10, Stop)).Count);
        Assert.Equal(["a", "b"], Ids(await LeaseAsync(Worker, 2)));
        Assert.Empty(await Worker.Queue.PeekAsync(WorkClass.Interactive, 10, Stop));
    }
}
