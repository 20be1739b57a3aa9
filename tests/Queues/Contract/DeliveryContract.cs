using System.Collections.Concurrent;
using System.Diagnostics;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>Enqueue and lease. Derive from <see cref="RequestQueueContract"/>, which has the rest.</summary>
public abstract class DeliveryContract : TransportContract
{
    [Fact]
    public async Task Requests_of_one_owner_are_delivered_in_order()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 5, "k"), Stop);
        await Gateway.Queue.EnqueueAsync([Request("a5", "k")], Stop);
        var leases = await LeaseAsync(Worker, 6);
        Assert.Equal(["a0", "a1", "a2", "a3", "a4", "a5"], Ids(leases));
        Assert.All(leases, lease => Assert.Equal(1, lease.DequeueCount));
        Assert.All(leases, lease => Assert.InRange(lease.Age, TimeSpan.Zero, TimeSpan.FromMinutes(5)));
    }

    [Fact]
    public async Task A_request_comes_as_it_went_to_an_instance_that_was_not_there()
    {
        var sent = Request("a") with
        {
            ReplyTo = "somewhere",
            Batch = "b1",
            TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Prefixes = ["p", "q"],
        };
        await Gateway.Queue.EnqueueAsync([sent], Stop);
        await Gateway.DisposeAsync();
        await Worker.DisposeAsync();

        var later = await Fixture.ConnectAsync();
        Assert.Equivalent(sent, Assert.Single(await LeaseAsync(later, 1)).Message, strict: true);
    }

    [Fact]
    public async Task The_two_classes_have_queues_of_their_own()
    {
        await Gateway.Queue.EnqueueAsync([Request("bulk", workClass: WorkClass.Bulk), Request("fast")], Stop);
        Assert.Equal(["fast"], Ids(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 10, Patience, Stop)));
        Assert.Equal(["bulk"], Ids(await Worker.Queue.LeaseAsync(WorkClass.Bulk, 10, Patience, Stop)));
    }

    [Fact]
    public async Task Many_leasers_share_the_requests_and_get_each_once()
    {
        const int Count = 120;
        await Gateway.Queue.EnqueueAsync(Requests("a", Count), Stop);
        ConcurrentBag<string> taken = [];

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            var queue = (i % 2 == 0 ? Gateway : Worker).Queue;
            var watch = Stopwatch.StartNew();
            while (taken.Count < Count && watch.Elapsed < Patience)
            {
                foreach (var lease in await queue.LeaseAsync(WorkClass.Interactive, 7, TimeSpan.FromMilliseconds(20), Stop))
                {
                    taken.Add(lease.Message.Request.Id.Value);
                    Assert.True(await lease.CompleteAsync(Stop));
                }
            }
        }));

        Assert.Equal(Requests("a", Count).Select(one => one.Request.Id.Value).Order(StringComparer.Ordinal), taken.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task No_more_are_leased_than_asked_for_and_none_is_waited_for_beyond_the_first()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 3), Stop);
        Assert.Single(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        var watch = Stopwatch.StartNew();
        Assert.InRange((await Worker.Queue.LeaseAsync(WorkClass.Interactive, 32, Patience, Stop)).Count, 1, 2);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, Patience / 2);
    }

    [Fact]
    public async Task Nothing_comes_of_an_empty_queue_once_patience_is_over()
    {
        var watch = Stopwatch.StartNew();
        Assert.Empty(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.FromMilliseconds(300), Stop));
        Assert.InRange(watch.Elapsed, TimeSpan.FromMilliseconds(250), Patience);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_waiting_leaser_gets_what_comes(bool sameInstance)
    {
        var waiting = Worker.Queue.LeaseAsync(WorkClass.Bulk, 4, Patience, Stop).AsTask();
        Assert.False(waiting.IsCompleted);
        await (sameInstance ? Worker : Gateway).Queue.EnqueueAsync([Request("a", workClass: WorkClass.Bulk)], Stop);
        Assert.Equal(["a"], Ids(await waiting));
    }

    [Fact]
    public async Task Waiting_can_be_cancelled()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var waiting = Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        Assert.Equal(["a"], Ids(await LeaseAsync(Worker, 1)));
    }

    [Fact]
    public async Task A_long_prompt_travels_like_a_short_one()
    {
        var prompt = string.Concat(Enumerable.Range(0, 70_000).Select(i => $"{i % 997} é"));
        Assert.True(prompt.Length > 300_000);
        await Gateway.Queue.EnqueueAsync([Request("a"), Request("long", prompt: prompt), Request("b")], Stop);

        var leases = await LeaseAsync(Worker, 3);
        Assert.Equal(["a", "b", "long"], Ids(leases).Order(StringComparer.Ordinal));
        var lease = leases.Single(one => one.Message.Request.Id.Value == "long");
        Assert.Equal(prompt, ((Prompt.Text)lease.Message.Request.Prompt).Value);
        Assert.True(await lease.CompleteAsync(Stop));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(20_000)]
    [InlineData(400_000)]
    public async Task A_tensor_travels_as_it_is(int length)
    {
        byte[] data = [.. Enumerable.Range(0, length).Select(i => (byte)(i * 31))];
        var sent = Request("a");
        var prompt = new Prompt.Tensors([new Tensor("x", TensorType.UInt8, [length], data)]);
        await Gateway.Queue.EnqueueAsync([sent with { Request = sent.Request with { Prompt = prompt } }], Stop);

        var lease = Assert.Single(await LeaseAsync(Worker, 1));
        Assert.Equal(data, Assert.Single(((Prompt.Tensors)lease.Message.Request.Prompt).Inputs).Data.ToArray());
        Assert.True(await lease.CompleteAsync(Stop));
    }

    [Fact]
    public async Task Many_requests_can_be_enqueued_at_once()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 100, workClass: WorkClass.Bulk), Stop);
        await Gateway.Queue.EnqueueAsync([], Stop);
        Assert.Equal(100, (await LeaseAsync(Worker, 100, WorkClass.Bulk)).DistinctBy(lease => lease.Message.Request.Id).Count());
    }

    protected static IEnumerable<string> Ids(IEnumerable<Lease> leases) => leases.Select(lease => lease.Message.Request.Id.Value);

    /// <summary>Leases until there are so many, which must be there.</summary>
    protected static async Task<List<Lease>> LeaseAsync(Transport transport, int count, WorkClass workClass = WorkClass.Interactive)
    {
        List<Lease> leases = [];
        var watch = Stopwatch.StartNew();
        while (leases.Count < count && watch.Elapsed < Patience)
            leases.AddRange(await transport.Queue.LeaseAsync(workClass, count - leases.Count, TimeSpan.FromSeconds(1), Stop));
        Assert.Equal(count, leases.Count);
        return leases;
    }
}
