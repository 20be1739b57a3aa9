using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Azure.ServiceBus;
using R1Serverless.Queues;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>Requests that are locked together, one of which has its body in the store.</summary>
public sealed class ServiceBusBodyTests : TransportContract
{
    private ServiceBusFixture Bus => (ServiceBusFixture)Fixture;

    [Fact]
    public async Task A_body_that_can_not_be_had_costs_no_other_request()
    {
        HeldStore store = new(Bus.Store);
        await using var worker = await EnqueueAsync(store, Bus.Time);
        store.BeforeGet = _ => throw new TransportException("the store is away");
        var leases = await LeaseAsync(worker, Stop);
        Assert.Equal(["a", "c"], Ids(leases));
        foreach (var lease in leases) Assert.True(await lease.CompleteAsync(Stop));

        store.BeforeGet = null;
        await Fixture.PassAsync(ServiceBusFixture.LockTime + TimeSpan.FromSeconds(1));
        var again = Assert.Single(await worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        Assert.Equal(("b", 2), (again.Message.Request.Id.Value, again.DequeueCount));
    }

    [Fact]
    public async Task Where_no_body_can_be_had_the_store_is_told_of()
    {
        HeldStore store = new(Bus.Store) { BeforeGet = _ => throw new TransportException("the store is away") };
        await using var worker = New(store, Bus.Time);
        await worker.Queue.EnqueueAsync([Large("b")], Stop);
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        Assert.Equal("the store is away", fault.Message);
    }

    [Fact]
    public async Task What_is_locked_when_the_call_is_cancelled_is_handed_over()
    {
        TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously),
            opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
        HeldStore store = new(Bus.Store)
        {
            BeforeGet = stop =>
            {
                entered.SetResult();
                return opened.Task.WaitAsync(stop);
            },
        };
        await using var worker = await EnqueueAsync(store, Bus.Time);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var leasing = LeaseAsync(worker, cancel.Token);
        await entered.Task.WaitAsync(Patience, Stop);
        await cancel.CancelAsync();
        opened.SetResult();
        Assert.Equal(["a", "b", "c"], Ids(await leasing));
    }

    [Fact]
    public async Task One_body_that_does_not_come_costs_the_others_a_quarter_of_their_lock_and_they_know_it()
    {
        WatchedTime time = new();
        HeldStore store = new(Bus.Store) { BeforeGet = stop => Task.Delay(Timeout.Infinite, stop) };
        await using var worker = await EnqueueAsync(store, time);
        var began = time.GetTimestamp();
        var leasing = LeaseAsync(worker, Stop);
        var patience = ServiceBusFixture.LockTime / 4;
        await time.UntilAwaitedAsync(patience);
        time.Advance(patience);

        var leases = await leasing;
        Assert.Equal(["a", "c"], Ids(leases));
        Assert.All(leases, lease => Assert.Equal(began, lease.Since));
    }

    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());

    private static QueuedRequest Large(string id) => Request(id, prompt: new string('x', 5000));

    private static IEnumerable<string> Ids(IReadOnlyList<Lease> leases) => leases.Select(lease => lease.Message.Request.Id.Value);

    /// <summary>As many as there are, so that they come together.</summary>
    private static Task<IReadOnlyList<Lease>> LeaseAsync(ServiceBusTransport worker, CancellationToken cancellationToken) =>
        worker.Queue.LeaseAsync(WorkClass.Interactive, 3, Patience, cancellationToken).AsTask();

    private ServiceBusTransport New(HeldStore store, TimeProvider time) =>
        new(Bus.Options with { LargestBody = 4096 }, store, time, NullLogger.Instance);

    private async Task<ServiceBusTransport> EnqueueAsync(HeldStore store, TimeProvider time)
    {
        var worker = New(store, time);
        await worker.Queue.EnqueueAsync([Request("a"), Large("b"), Request("c")], Stop);
        // What has waited comes together.
        await Fixture.PassAsync(TimeSpan.FromSeconds(1));
        return worker;
    }
}
