using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Worker;

/// <summary>Stops what has been marked as cancelled. One listing of the marks serves all requests of a worker, and only while it holds any.</summary>
internal sealed partial class CancellationWatch(CancellationMarkers marks, LeaseTable leases, TimeProvider time, ILogger log)
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private IReadOnlySet<string> _listed = new HashSet<string>(StringComparer.Ordinal);
    private long? _listedAt;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using PeriodicTimer turns = new(Period, time);
        while (await turns.WaitForNextTickAsync(cancellationToken))
        {
            if (leases.IsEmpty) continue;
            var listed = await ListAsync(Period / 2, cancellationToken);
            foreach (var held in leases.Held)
            {
                if (IsIn(listed, held.Message)) held.Stop(StopReason.Cancelled);
            }
        }
    }

    /// <summary>Whether a request, or its batch, has been marked, as of at most <see cref="Period"/> ago.</summary>
    public async ValueTask<bool> IsCancelledAsync(QueuedRequest message, CancellationToken cancellationToken) =>
        IsIn(await ListAsync(Period, cancellationToken), message);

    private static bool IsIn(IReadOnlySet<string> listed, QueuedRequest message) =>
        listed.Count > 0 && (listed.Contains(message.Request.Id.Value) || (message.Batch is { } batch && listed.Contains(batch)));

    /// <summary>The last listing if it is young enough or there is no newer to be had.</summary>
    private async ValueTask<IReadOnlySet<string>> ListAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        using var turn = await _turn.EnterAsync(cancellationToken);
        try
        {
            if (_listedAt is { } at && time.GetElapsedTime(at) < age) return _listed;
            var before = time.GetTimestamp();
            _listed = await marks.ListAsync(cancellationToken);
            _listedAt = before;
        }
        catch (TransportException fault)
        {
            LogNotListed(fault.Message);
        }

        return _listed;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not list the cancelled requests: {Fault}")]
    private partial void LogNotListed(string fault);
}
