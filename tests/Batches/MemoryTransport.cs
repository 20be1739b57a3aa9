using System.Collections.Concurrent;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Batches;

/// <summary>A transport whose queue only collects: each test plays the workers.</summary>
internal sealed class MemoryTransport(IObjectStore store) : Transport, IRequestQueue
{
    /// <summary>What was enqueued and not yet taken by the test.</summary>
    public ConcurrentQueue<QueuedRequest> Waiting { get; init; } = new();

    /// <summary>Called for each request instead of keeping it, where it is set.</summary>
    public Action<QueuedRequest>? Enqueueing { get; init; }

    public override string Description => "memory";

    public override IRequestQueue Queue => this;

    public override IReplyChannel Replies => throw new NotSupportedException();

    public override IObjectStore Store => store;

    public TimeSpan LeaseTime => TimeSpan.FromMinutes(1);

    public override IJobQueue Jobs => throw new NotSupportedException();

    public override ValueTask OpenAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        foreach (QueuedRequest request in requests)
        {
            if (Enqueueing is not null)
            {
                Enqueueing(request);
                continue;
            }

            Waiting.Enqueue(request);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<Lease>> LeaseAsync(WorkClass workClass, int most, TimeSpan patience, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken) => throw new NotSupportedException();
}
