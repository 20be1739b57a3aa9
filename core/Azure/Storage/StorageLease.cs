using R1Serverless.Abstractions.Threading;
using R1Serverless.Queues;

namespace R1Serverless.Azure.Storage;

/// <summary>The visibility timeout of one message. Each call needs the pop receipt of the call before, so they go one by one.</summary>
/// <param name="claimed">Where the message's body was.</param>
internal sealed class StorageLease(StorageLane lane, StoredMessage message, QueuedRequest request, ClaimedBody claimed, TimeSpan leaseTime)
    : Lease(request, message.DequeueCount, message.Age)
{
    private readonly SemaphoreSlim oneByOne = new(1);
    private string popReceipt = message.PopReceipt;

    public override ValueTask<bool> RenewAsync(CancellationToken cancellationToken) =>
        InTurnAsync(() => ExtendAsync(leaseTime, cancellationToken), cancellationToken);

    public override ValueTask<bool> CompleteAsync(CancellationToken cancellationToken) => InTurnAsync(
        async () =>
        {
            if (!await lane.Live.RemoveAsync(message.Id, popReceipt, cancellationToken)) return false;
            await lane.ReleaseAsync(claimed);
            return true;
        },
        cancellationToken);

    public override async ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        // The service counts whole seconds, up to a week.
        var seconds = TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(delay.TotalSeconds), 0, TimeSpan.FromDays(7).TotalSeconds));
        if (!await InTurnAsync(() => ExtendAsync(seconds, cancellationToken), cancellationToken)) return false;
        if (seconds == TimeSpan.Zero) lane.Delay.Reset();
        return true;
    }

    public override ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken) => InTurnAsync(
        // Extended first, so that a lease that has been lost writes no letter.
        async () => await ExtendAsync(leaseTime, cancellationToken)
        && await lane.Dead.MoveAsync(lane.Live, message, popReceipt, reason, Message.Request.Id.Value, cancellationToken),
        cancellationToken);

    private async ValueTask<bool> ExtendAsync(TimeSpan time, CancellationToken cancellationToken)
    {
        if (await lane.Live.ExtendAsync(message.Id, popReceipt, time, cancellationToken) is not { } renewed) return false;
        popReceipt = renewed;
        return true;
    }

    private async ValueTask<bool> InTurnAsync(Func<ValueTask<bool>> call, CancellationToken cancellationToken)
    {
        using var turn = await oneByOne.EnterAsync(cancellationToken);
        return await call();
    }
}
