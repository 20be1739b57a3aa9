using Microsoft.Extensions.Logging;
using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>
/// Puts requests that nobody waits for into the queue so that no owner's flood stands before another's. Where the queue itself takes no turns, at most
/// <see cref="Places"/> of an owner are in it at once; the others are parked in the store, and go on as those before them end. Whichever process ends, another one
/// moves on what it had parked. A request that is moved on twice has one result, as any that is delivered twice. Safe for several threads.
/// </summary>
public sealed partial class AsyncTurns
{
    /// <summary>Requests of one owner that a process has in the queue, those that run included.</summary>
    public const int Places = 128;

    private const int Together = 32;

    private static readonly TimeSpan LeastPause = TimeSpan.FromMilliseconds(100), MostPause = TimeSpan.FromSeconds(2), Beat = TimeSpan.FromSeconds(4), Silence = TimeSpan.FromSeconds(16);

    private readonly string _me = RequestId.New().Value;
    private readonly Transport _transport;
    private readonly QueuedInference _gateway;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ParkedRequests _parked;
    private readonly ResultStore _results;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, OwnerTurn> _turns = new(StringComparer.Ordinal);
    private readonly HashSet<string> _marked = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _marking = new(1, 1);
    private readonly Pulse _came = new();
    private long? _markedAt, _beaten;

    /// <param name="gateway">Enqueues what need not be parked.</param>
    public AsyncTurns(Transport transport, QueuedInference gateway, TimeProvider time, ILogger log)
    {
        (_transport, _gateway, _time, _log) = (transport, gateway, time, log);
        _parked = new ParkedRequests(transport.Store, _me, time);
        _results = new ResultStore(transport.Store);
    }

    /// <summary>The request is durable when the task completes.</summary>
    /// <exception cref="TransportException">Queue or store can't be reached; the request may be there all the same.</exception>
    public async ValueTask SubmitAsync(InferenceRequest request, CancellationToken cancellationToken)
    {
        string owner = RequestRecords.OwnerFolder(request.Owner);
        bool isDirect = _transport.Queue.TakesTurns;
        if (!isDirect)
        {
            lock (_gate) isDirect = Turn(owner).Enter(request.Id);
        }

        if (isDirect) await EnqueueAsync(owner, request, cancellationToken);
        else await ParkAsync(owner, request, cancellationToken);
    }

    /// <summary>Moves on what is parked, until cancelled. Faults of the transport are waited out.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_transport.Queue.TakesTurns) return;
        TimeSpan pause = LeastPause;
        try
        {
            while (true)
            {
                long seen = _came.Beats;
                bool moved = false;
                try
                {
                    await BeatAsync(cancellationToken);
                    foreach ((string owner, OwnerTurn turn) in Waiting()) moved |= await MoveAsync(owner, turn, cancellationToken);
                }
                catch (TransportException fault)
                {
                    LogNotMoved(fault.Message);
                }

                if (Waiting().Count == 0)
                {
                    await _came.WaitAsync(seen, Beat, _time, cancellationToken);
                    pause = LeastPause;
                    continue;
                }

                pause = moved ? LeastPause : pause * 2 < MostPause ? pause * 2 : MostPause;
                await Task.Delay(pause, _time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // What is parked is moved on by another process.
        }
    }

    private List<(string Owner, OwnerTurn Turn)> Waiting()
    {
        lock (_gate) return [.. _turns.Where(one => one.Value.HasParked).Select(one => (one.Key, one.Value))];
    }

    private OwnerTurn Turn(string owner)
    {
        if (!_turns.TryGetValue(owner, out OwnerTurn? turn)) _turns.Add(owner, turn = new OwnerTurn(Places, _time));
        return turn;
    }

    private async ValueTask EnqueueAsync(string owner, InferenceRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _gateway.SubmitAsync(request, WorkClass.Bulk, batch: null, cancellationToken);
        }
        catch when (!_transport.Queue.TakesTurns)
        {
            lock (_gate) Turn(owner).Drop(request.Id);
            throw;
        }
    }

    private async ValueTask ParkAsync(string owner, InferenceRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _marking.WaitAsync(cancellationToken);
            try
            {
                // First, since what is parked without a mark is found by nobody else; and again after a silence, in which others may have taken this process for dead and the mark away.
                bool isMarked;
                lock (_gate) isMarked = _marked.Contains(_me) && _markedAt is { } last && _time.GetElapsedTime(last) < Silence / 2;
                if (!isMarked) await SignAsync(cancellationToken);
                lock (_gate) _marked.Add(_me);
            }
            finally
            {
                _marking.Release();
            }

            await _parked.AddAsync(owner, QueuedInference.Message(request, WorkClass.Bulk, batch: null), cancellationToken);
        }
        finally
        {
            // Also where that failed, since it may be there.
            lock (_gate) Turn(owner).Park();
            _came.Beat();
        }
    }

    /// <summary>Marks what this process keeps as its own. The caller has the turn to mark.</summary>
    private async ValueTask SignAsync(CancellationToken cancellationToken)
    {
        long before = _time.GetTimestamp();
        await _parked.MarkAsync(cancellationToken);
        lock (_gate) _markedAt = before;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Requests that wait for their turn could not be moved on; it is tried again: {Fault}")]
    private partial void LogNotMoved(string fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} can't be moved into the queue: {Fault}")]
    private partial void LogMalformed(string requestId, string fault);
}
