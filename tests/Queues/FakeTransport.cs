using System.Runtime.CompilerServices;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues;

/// <summary>One process's way to a <see cref="FakeBroker"/>.</summary>
/// <param name="store">The process's own way to the store; null for the broker's.</param>
internal sealed class FakeTransport(FakeBroker broker, TimeProvider time, IObjectStore? store = null) : Transport, IReplyChannel, IRequestQueue
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    /// <summary>The process is gone, or can reach neither queue nor replies.</summary>
    public bool IsCut { get; set; }

    /// <summary>What befalls a message on its way into the queue.</summary>
    public Func<CancellationToken, Task> BeforeEnqueue { get; set; } = _ => Task.CompletedTask;

    /// <summary>What befalls the answer to who has enqueued it.</summary>
    public Func<CancellationToken, Task> AfterEnqueue { get; set; } = _ => Task.CompletedTask;

    public override string Description => "fake";

    public override IRequestQueue Queue => this;

    public override IReplyChannel Replies => this;

    public override IObjectStore Store { get; } = store ?? broker.Store;

    /// <summary>Takes each request instead of the broker, where the test plays the workers.</summary>
    public Action<QueuedRequest>? Enqueueing { get; init; }

    public string Address { get; } = Guid.NewGuid().ToString("N");

    public override IJobQueue Jobs => throw new NotSupportedException();

    public override ValueTask OpenAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask SendAsync(string address, IReadOnlyList<Reply> replies, CancellationToken cancellationToken)
    {
        Check();
        broker.Messages.Add(replies);
        broker.Deliver(address, [.. replies.Where(reply => !broker.LosesReply(reply))]);
        return ValueTask.CompletedTask;
    }

    public async IAsyncEnumerable<Reply> ReceiveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var seen = broker.Arrived.Version;
            foreach (var reply in broker.TakeReplies(Address)) yield return reply;
            await broker.Arrived.WaitAsync(seen, Timeout.InfiniteTimeSpan, time, cancellationToken);
        }
    }

    public void Check()
    {
        broker.Check();
        if (IsCut) throw new TransportException("this process is cut off");
    }

    public TimeSpan LeaseTime => broker.LeaseTime;

    /// <summary>How long requests take from being leased to being handed over, as where their bodies lie in a store that is slow.</summary>
    public TimeSpan HandoverTime { get; set; }

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        Check();
        await BeforeEnqueue(cancellationToken);
        if (Enqueueing is null) broker.Enqueue(requests);
        else foreach (var request in requests) Enqueueing(request);
        await AfterEnqueue(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(
        WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        for (var waited = TimeSpan.Zero; ; waited += Step)
        {
            Check();
            var leases = broker.Take(workClass, routes, most, this);
            if (leases.Count > 0 && HandoverTime > TimeSpan.Zero) await Task.Delay(HandoverTime, time, CancellationToken.None);
            if (leases.Count > 0 || waited >= patience) return leases;
            await Task.Delay(Step, time, cancellationToken);
        }
    }

    public ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        Check();
        return ValueTask.FromResult(broker.Statistics(workClass));
    }

    public ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken) => throw new NotSupportedException();
}
