using R1Serverless.Requests;

namespace R1Serverless.Queues.Embedded;

/// <summary>A row that bears the lease's token: who takes it over writes another.</summary>
internal sealed class EmbeddedLease(EmbeddedQueue queue, LeasedRow row, WorkClass workClass, QueuedRequest message, TimeSpan age) : Lease(message, row.Deliveries, age)
{
    // The body has been read: only id and token are of use from here on.
    private readonly LeasedRow _row = row with { Body = [] };

    public override bool? HasResult => _row.HasResult;

    public override async ValueTask<bool> RenewAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return await queue.RenewAsync(_row);
    }

    public override async ValueTask<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return await queue.CompleteAsync(_row);
    }

    public override ValueTask<Completion?> CompleteAsync(InferenceResult result, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return queue.CompleteAsync(_row, result);
    }

    public override ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return queue.AbandonAsync(_row, workClass, delay);
    }

    public override async ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return await queue.DeadLetterAsync(_row, reason);
    }
}
