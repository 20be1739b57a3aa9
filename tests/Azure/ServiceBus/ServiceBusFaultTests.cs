using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>Links and connections that break, and settlements that get lost.</summary>
public sealed class ServiceBusFaultTests : TransportContract
{
    private const string Interactive = "r1-interactive";

    private ServiceBusFixture Bus => (ServiceBusFixture)Fixture;

    [Fact]
    public async Task Leases_outlive_the_link_they_came_over()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 3), Stop);
        List<Lease> leases = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                leases.AddRange(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 2 - leases.Count, Patience, Stop));
                return leases.Count == 2;
            },
            () => "two leases");
        Assert.True(await Bus.Broker.DropLinksAsync(Interactive) >= 1);
        Assert.True(await Bus.Broker.DropLinksAsync($"{Interactive}/$management") >= 0);

        Assert.True(await leases[0].RenewAsync(Stop));
        Assert.True(await leases[0].CompleteAsync(Stop));
        Assert.True(await leases[1].AbandonAsync(TimeSpan.Zero, Stop));
        List<string> left = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                left.AddRange(
                    (await Worker.Queue.LeaseAsync(WorkClass.Interactive, 2, Patience, Stop)).Select(lease => lease.Message.Request.Id.Value));
                return left.Count >= 2;
            },
            () => "what is left");
        Assert.Equal(["a1", "a2"], left);
    }

    [Fact]
    public async Task A_connection_that_broke_is_made_again_and_nothing_is_lost()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 5), Stop);
        var held = Assert.Single(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        var waiting = Worker.Queue.LeaseAsync(WorkClass.Bulk, 1, Patience, Stop).AsTask();

        Assert.True(await Bus.Broker.DropConnectionsAsync() >= 2);

        Assert.True(await AgainAsync(() => held.CompleteAsync(Stop)));
        await AgainAsync(async () =>
        {
            await Gateway.Queue.EnqueueAsync([Request("c", workClass: WorkClass.Bulk)], Stop);
            return true;
        });
        // It gets it itself over the new connection, or says that the old one broke, and the next call gets it.
        IReadOnlyList<Lease> came;
        try
        {
            came = await waiting;
        }
        catch (TransportException)
        {
            came = await AgainAsync(() => Worker.Queue.LeaseAsync(WorkClass.Bulk, 1, Patience, Stop));
        }

        Assert.Equal("c", Assert.Single(came).Message.Request.Id.Value);
        await AgainAsync(async () =>
        {
            await Gateway.Queue.EnqueueAsync([Request("b")], Stop);
            return true;
        });
        HashSet<string> rest = new(StringComparer.Ordinal);
        while (rest.Count < 5)
        {
            foreach (var lease in await AgainAsync(() => Worker.Queue.LeaseAsync(WorkClass.Interactive, 5, Patience, Stop)))
            {
                rest.Add(lease.Message.Request.Id.Value);
                Assert.True(await lease.CompleteAsync(Stop));
            }
        }

        Assert.Equal(["a1", "a2", "a3", "a4", "b"], rest.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_broker_that_went_and_came_back_is_found_again()
    {
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        await Bus.Broker.GoDownAsync();
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        Assert.False(fault.IsPermanent);
        Bus.Broker.ComeBack();
        Assert.Equal("a",
            Assert.Single(await AgainAsync(() => Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop))).Message.Request.Id.Value);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_completion_whose_answer_is_lost_is_asked_for_again_and_the_request_does_not_come_twice(bool isApplied)
    {
        await using var hasty = Bus.New(Bus.Options with { AnswerTime = TimeSpan.FromSeconds(2) });
        await hasty.Queue.EnqueueAsync([Request("a")], Stop);
        var lease = Assert.Single(await hasty.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        await Bus.Broker.AskAsync(() => Bus.Broker.LostSettlements = (1, isApplied));

        // The second time the queue knows no such lock where the first took effect.
        Assert.Equal(!isApplied, await lease.CompleteAsync(Stop));
        Assert.Contains(Bus.Log.Messages, line => line.Contains("no longer answers: it is made anew", StringComparison.Ordinal));
        await Fixture.PassAsync(ServiceBusFixture.LockTime + TimeSpan.FromSeconds(1));
        Assert.Empty(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));
    }

    [Fact]
    public async Task Replies_go_on_after_the_link_or_the_connection_broke()
    {
        await using var receiving = Gateway.Replies.ReceiveAsync(Stop).GetAsyncEnumerator(Stop);
        foreach (var round in Enumerable.Range(0, 3))
        {
            if (round == 1) Assert.True(await Bus.Broker.DropLinksAsync("r1-replies") >= 1);
            if (round == 2) await Bus.Broker.DropConnectionsAsync();
            // What is sent to a link that just breaks may be lost, and sent twice if it is sent again.
            do
            {
                var next = receiving.MoveNextAsync().AsTask();
                while (!next.IsCompleted)
                {
                    await AgainAsync(async () =>
                    {
                        await Worker.Replies.SendAsync(Gateway.Replies.Address, [new Reply(new RequestId("a"), 1, round, [])], Stop);
                        return true;
                    });
                    await Task.WhenAny(next, Task.Delay(TimeSpan.FromSeconds(0.3), Stop));
                }

                Assert.True(await next);
            }
            while (receiving.Current.First < round);
            Assert.Equal(round, receiving.Current.First);
        }
    }

    [Fact]
    public async Task A_session_is_kept_beyond_its_lock()
    {
        await using var receiving = Gateway.Replies.ReceiveAsync(Stop).GetAsyncEnumerator(Stop);
        for (var round = 0; round < 4; round++)
        {
            await Worker.Replies.SendAsync(Gateway.Replies.Address, [new Reply(new RequestId("a"), 1, round, [])], Stop);
            Assert.True(await receiving.MoveNextAsync());
            Assert.Equal(round, receiving.Current.First);
            await Fixture.PassAsync(ServiceBusFixture.LockTime * 0.6);
        }
    }

    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());

    /// <summary>As its callers do: tries again while the transport is away.</summary>
    private static async Task<T> AgainAsync<T>(Func<ValueTask<T>> attempt)
    {
        for (var attempts = 1; ; attempts++)
        {
            try
            {
                return await attempt();
            }
            catch (TransportException fault) when (!fault.IsPermanent && attempts < 20)
            {
                // The transport itself pauses before it connects again.
            }
        }
    }
}
