using System.Collections.Concurrent;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>One request that a client of this gateway waits for: its replies as they arrive and, when none came for a while, its result.</summary>
/// <param name="looks">Bounds how many requests look into the store at one time.</param>
/// <param name="deadlineMargin">How long after the request's deadline what the worker says about it is still waited for.</param>
/// <param name="firstQuiet">How soon the store is looked into again where no replies are expected, then less and less often; null means
/// <see cref="LongestQuiet"/>.</param>
internal sealed class PendingResponse(
    InferenceRequest request, ResultStore results, SemaphoreSlim looks, TimeSpan deadlineMargin, TimeProvider time, TimeSpan? firstQuiet = null)
{
    /// <summary>A lost reply costs the client so much, not the answer.</summary>
    public static readonly TimeSpan LongestQuiet = TimeSpan.FromSeconds(1);

    /// <summary>Of a look into the store past the deadline.</summary>
    private static readonly TimeSpan LastLook = TimeSpan.FromSeconds(1);

    // Beyond that, replies are dropped, as if they had been lost: the client reads slower than the model writes.
    private const int MaxReplies = 4096;

    private readonly ConcurrentQueue<Reply> _replies = new();
    private readonly AsyncSignal _arrived = new();
    private readonly ReplayDeduplicator _replay = new();
    private readonly List<InferenceEvent> _given = [];
    private readonly Deadline _deadline = new(request.Deadline, time, deadlineMargin);
    private long _heard = time.GetTimestamp();
    private TimeSpan _quiet = firstQuiet ?? LongestQuiet;
    private volatile bool _mustLook;

    public bool IsEnded => _replay.IsEnded;

    public void Add(Reply reply)
    {
        if (_replies.Count >= MaxReplies) return;
        _replies.Enqueue(reply);
        _arrived.Set();
    }

    /// <summary>There is a result: it should be looked for now.</summary>
    public void Look()
    {
        _mustLook = true;
        _arrived.Set();
    }

    /// <summary>The next events, at least one; valid until the next call.</summary>
    public async ValueTask<IReadOnlyList<InferenceEvent>> NextAsync(CancellationToken cancellationToken)
    {
        _given.Clear();
        while (true)
        {
            var seen = _arrived.Version;
            while (_replies.TryDequeue(out var reply)) _replay.Take(reply, _given);
            if (_given.Count > 0)
            {
                _heard = time.GetTimestamp();
                return _given;
            }

            var isOver = _deadline.IsOver;
            if (_mustLook || isOver || _replay.NeedsResult || Quiet >= _quiet)
            {
                await LookAsync(isOver, cancellationToken);
                if (_given.Count > 0) return _given;
                _quiet = _quiet * 1.5 < LongestQuiet ? _quiet * 1.5 : LongestQuiet;
            }

            var patience = _quiet - Quiet;
            var left = _deadline.Left;
            await _arrived.WaitAsync(seen, Positive(patience < left ? patience : left), time, cancellationToken);
        }
    }

    private TimeSpan Quiet => time.GetElapsedTime(_heard);

    private static TimeSpan Positive(TimeSpan span) => span > TimeSpan.FromMilliseconds(1) ? span : TimeSpan.FromMilliseconds(1);

    private async ValueTask LookAsync(bool isOver, CancellationToken cancellationToken)
    {
        using TimeLimit limit = new(isOver ? LastLook : Positive(_deadline.Left), time, cancellationToken);
        var isIn = false;
        try
        {
            await looks.WaitAsync(limit.Token);
            isIn = true;
            _mustLook = false;
            if (await results.FindAsync(request.Id, limit.Token) is { } result) _replay.Take(result, _given);
            else if (isOver && await results.TryPutAsync(Expired, limit.Token)) _replay.Fail(Deadline.Passed, _given);
        }
        catch (Exception fault) when (fault is TransportException || (fault is OperationCanceledException && limit.IsOver))
        {
            // The store is looked into again; but nobody waits past the deadline.
            if (isOver) _replay.Fail(Deadline.Passed, _given);
        }
        catch (MalformedMessageException fault)
        {
            _replay.Fail(new InferenceError(InferenceErrorKind.Internal, $"The result can't be read. {fault.Message}"), _given);
        }
        finally
        {
            if (isIn) looks.Release();
            _heard = time.GetTimestamp();
        }
    }

    private InferenceResult Expired => new() { Id = request.Id, Outcome = RequestOutcome.Expired, Error = Deadline.Passed };
}
