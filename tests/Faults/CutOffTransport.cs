using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Faults;

/// <summary>The transport of a worker that is cut off from the queue once it has its first leases: it can't renew them, and gets no others.</summary>
internal sealed class CutOffTransport(Transport inner) : Transport
{
    public override string Description => inner.Description;

    public override IRequestQueue Queue { get; } = new Requests(inner.Queue);

    public override IReplyChannel Replies => inner.Replies;

    public override IObjectStore Store => inner.Store;

    public override IJobQueue Jobs => inner.Jobs;

    public override ValueTask OpenAsync(CancellationToken cancellationToken) => inner.OpenAsync(cancellationToken);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class Requests(IRequestQueue queue) : IRequestQueue
    {
        private bool _isCutOff;

        public TimeSpan LeaseTime => queue.LeaseTime;

        public ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken) =>
            queue.EnqueueAsync(requests, cancellationToken);

        public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(
            WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, TimeSpan patience, CancellationToken cancellationToken)
        {
            if (Volatile.Read(ref _isCutOff))
            {
                await Task.Delay(patience, TimeProvider.System, cancellationToken);
                return [];
            }

            IReadOnlyList<Lease> leases =
                [.. (await queue.LeaseAsync(workClass, routes, most, patience, cancellationToken)).Select(lease => new Unrenewable(lease))];
            if (leases.Count > 0) Volatile.Write(ref _isCutOff, true);
            return leases;
        }

        public ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken) =>
            queue.StatisticsAsync(workClass, cancellationToken);

        public ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
            queue.PeekAsync(workClass, most, cancellationToken);

        public ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
            queue.PeekDeadLettersAsync(workClass, most, cancellationToken);

        public ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
            queue.RedriveAsync(workClass, most, cancellationToken);
    }

    private sealed class Unrenewable(Lease lease) : Lease(lease.Message, lease.DequeueCount, lease.Age)
    {
        public override ValueTask<bool> RenewAsync(CancellationToken cancellationToken) => throw new TransportException("cut off");

        public override ValueTask<bool> CompleteAsync(CancellationToken cancellationToken) => lease.CompleteAsync(cancellationToken);

        public override ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            lease.AbandonAsync(delay, cancellationToken);

        public override ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken) =>
            lease.DeadLetterAsync(reason, cancellationToken);
    }
}
