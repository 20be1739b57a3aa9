using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>Requests that name the worker that has the beginning of their prompt, over a queue that gives them to whoever waits.</summary>
public sealed class ServiceBusNamedWorkerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ServiceBusFixture _fixture = new();
    private Transport _gateway = null!, _one = null!, _two = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        (_gateway, _one, _two) = (await _fixture.ConnectAsync(), await _fixture.ConnectAsync(), await _fixture.ConnectAsync());

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_two_that_wait_the_named_one_gets_it(bool isFirst)
    {
        var (named, other) = isFirst ? (_one, _two) : (_two, _one);
        var forOther = LeaseAsync(other);
        await UntilWaitingAsync(1);
        var forNamed = LeaseAsync(named);
        await UntilWaitingAsync(2);
        await EnqueueAsync("a", named);
        Assert.Equal("a", Assert.Single(await forNamed).Message.Request.Id.Value);

        await UntilWaitingAsync(1);
        await EnqueueAsync("free", null);
        Assert.Equal("free", Assert.Single(await forOther).Message.Request.Id.Value);
    }

    [Fact]
    public async Task Where_the_named_one_does_not_wait_the_other_gets_it_at_once()
    {
        var waiting = LeaseAsync(_two);
        await EnqueueAsync("a", _one);
        var lease = Assert.Single(await waiting);
        // Given back once, and counted by the service.
        Assert.Equal(2, lease.DequeueCount);
        Assert.True(await lease.CompleteAsync(Stop));
    }

    [Fact]
    public async Task What_has_waited_is_anybodys()
    {
        await EnqueueAsync("a", _one);
        await _fixture.PassAsync(WorkerPrefixes.HeadStart);
        Assert.Equal(1, Assert.Single(await LeaseAsync(_two)).DequeueCount);
    }

    private static async Task<IReadOnlyList<Lease>> LeaseAsync(Transport transport)
    {
        IReadOnlyList<Lease> leases = [];
        // One ask waits for four seconds at most.
        await Eventually.HoldsAsync(
            async () => (leases = await transport.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop)).Count > 0, () => "a lease");
        return leases;
    }

    private async Task UntilWaitingAsync(int receivers) => await Eventually.HoldsAsync(
        async () => await _fixture.Broker.WaitingAsync("r1-interactive") == receivers, () => "receivers that wait");

    private ValueTask EnqueueAsync(string id, Transport? worker) => _gateway.Queue.EnqueueAsync(
        [
            new QueuedRequest
            {
                Request = new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text("x") },
                Class = WorkClass.Interactive,
                Worker = worker?.WorkerId,
            },
        ], Stop);
}
