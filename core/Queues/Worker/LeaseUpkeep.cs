using Microsoft.Extensions.Logging;

namespace R1Serverless.Queues;

/// <summary>Renews all leases of a worker while it holds them, each every third of a lease's time.</summary>
internal sealed partial class LeaseUpkeep(LeaseBook book, TimeSpan leaseTime, TimeProvider time, ILogger log)
{
    private const int MostAtOnce = 32;

    private readonly SemaphoreSlim _turns = new(MostAtOnce, MostAtOnce);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Task renewals = Task.CompletedTask;
        using PeriodicTimer turns = new(leaseTime / 12, time);
        while (await turns.WaitForNextTickAsync(cancellationToken))
        {
            IReadOnlyList<HeldLease> held = book.Held;
            foreach (HeldLease lease in held) lease.LoseIfOver();
            if (!renewals.IsCompleted) continue; // the queue is slow; what it costs is looked at all the same
            await renewals;
            renewals = Task.WhenAll(held.Where(lease => !lease.IsLost && lease.SinceRenewal >= leaseTime / 4).Select(lease => RenewAsync(lease, cancellationToken)));
        }
    }

    private async Task RenewAsync(HeldLease lease, CancellationToken cancellationToken)
    {
        await _turns.WaitAsync(cancellationToken);

        // One call that hangs must not cost the other leases.
        using CancellationTokenSource patience = new(leaseTime / 6, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await lease.RenewAsync(either.Token);
        }
        catch (TransportException fault)
        {
            LogNotRenewed(lease.Id.Value, fault.Message);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            LogNotRenewed(lease.Id.Value, "no answer in time");
        }
        finally
        {
            _turns.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not renew the lease of request {RequestId}: {Fault}")]
    private partial void LogNotRenewed(string requestId, string fault);
}
