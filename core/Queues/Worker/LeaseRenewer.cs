using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Worker;

/// <summary>Renews all leases of a worker while it holds them, each every third of a lease's time.</summary>
internal sealed partial class LeaseRenewer(LeaseTable leases, TimeSpan leaseTime, TimeProvider time, ILogger log)
{
    private const int MaxAtOnce = 32;

    private readonly SemaphoreSlim _turns = new(MaxAtOnce, MaxAtOnce);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var renewals = Task.CompletedTask;
        using PeriodicTimer turns = new(leaseTime / 12, time);
        while (await turns.WaitForNextTickAsync(cancellationToken))
        {
            var held = leases.Held;
            foreach (var lease in held) lease.LoseIfOver();
            if (!renewals.IsCompleted) continue; // the queue is slow; what it costs is looked at all the same
            await renewals;
            renewals = Task.WhenAll(
                held.Where(lease => !lease.IsLost && lease.SinceRenewal >= leaseTime / 4).Select(lease => RenewAsync(lease, cancellationToken)));
        }
    }

    private async Task RenewAsync(HeldLease lease, CancellationToken cancellationToken)
    {
        using var turn = await _turns.EnterAsync(cancellationToken);
        // One call that hangs must not cost the other leases.
        using TimeLimit limit = new(leaseTime / 6, time, cancellationToken);
        try
        {
            await lease.RenewAsync(limit.Token);
        }
        catch (TransportException fault)
        {
            LogNotRenewed(lease.Id.Value, fault.Message);
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            LogNotRenewed(lease.Id.Value, "no answer in time");
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not renew the lease of request {RequestId}: {Fault}")]
    private partial void LogNotRenewed(string requestId, string fault);
}
