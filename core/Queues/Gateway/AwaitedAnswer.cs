using System.Collections.Concurrent;
using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>One request that a client of this gateway waits for: its replies as they arrive and, when none came for a while, its result.</summary>
/// <param name="looks">Bounds how many requests look into the store at one time.</param>
internal sealed class AwaitedAnswer(InferenceRequest request, ResultStore results, SemaphoreSlim looks, TimeSpan deadlineMargin, TimeProvider time)
{
    /// <summary>A lost reply costs the client so much, not the answer.</summary>
    public static readonly TimeSpan LongestQuiet = TimeSpan.FromSeconds(1);

    /// <summary>Of a look into the store: past the deadline, and for one without (a timer's own limit is 49 days).</summary>
    private static readonly TimeSpan LastLook = TimeSpan.FromSeconds(1), LongestLook = TimeSpan.FromDays(1);

    // Beyond that, replies are dropped, as if they had been lost: the client reads slower than the model writes.
    private const int MostReplies = 4096;

    private readonly ConcurrentQueue<Reply> _replies = new();
    private readonly Pulse _arrived = new();
    private readonly AnswerAssembly _assembly = new();
    private readonly List<InferenceEvent> _given = [];
    private readonly long _start = time.GetTimestamp();
    private long _heard = time.GetTimestamp();
    private volatile bool _mustLook;

    public bool IsEnded => _assembly.IsEnded;

    public void Add(Reply reply)
    {
        if (_replies.Count >= MostReplies) return;
        _replies.Enqueue(reply);
        _arrived.Beat();
    }

    /// <summary>There is a result: it should be looked for now.</summary>
    public void Look()
    {
        _mustLook = true;
        _arrived.Beat();
    }

    /// <summary>The next events, at least one; valid until the next call.</summary>
    public async ValueTask<IReadOnlyList<InferenceEvent>> NextAsync(CancellationToken cancellationToken)
    {
        _given.Clear();
        while (true)
        {
            long seen = _arrived.Beats;
            while (_replies.TryDequeue(out Reply? reply)) _assembly.Take(reply, _given);
            if (_given.Count > 0)
            {
                _heard = time.GetTimestamp();
                return _given;
            }

            bool isOver = Left <= TimeSpan.Zero;
            if (_mustLook || isOver || _assembly.NeedsResult || Quiet >= LongestQuiet)
            {
                await LookAsync(isOver, cancellationToken);
                if (_given.Count > 0) return _given;
            }

            TimeSpan patience = LongestQuiet - Quiet;
            await _arrived.WaitAsync(seen, patience < Left ? Positive(patience) : Positive(Left), time, cancellationToken);
        }
    }

    private TimeSpan Quiet => time.GetElapsedTime(_heard);

    /// <summary>Until the gateway itself ends the request.</summary>
    private TimeSpan Left => request.Deadline is { } deadline && deadline < TimeSpan.FromDays(3650) ? deadline + deadlineMargin - time.GetElapsedTime(_start) : TimeSpan.MaxValue;

    private static TimeSpan Positive(TimeSpan span) => span > TimeSpan.FromMilliseconds(1) ? span : TimeSpan.FromMilliseconds(1);

    private async ValueTask LookAsync(bool isOver, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(isOver ? LastLook : Left < LongestLook ? Positive(Left) : LongestLook, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        bool isIn = false;
        try
        {
            await looks.WaitAsync(either.Token);
            isIn = true;
            _mustLook = false;
            if (await results.FindAsync(request.Id, either.Token) is { } result) _assembly.Take(result, _given);
            else if (isOver && await results.TryPutAsync(Expired, either.Token)) _assembly.Fail(DeliveryRules.Expired, _given);
        }
        catch (Exception fault) when (fault is TransportException || (fault is OperationCanceledException && late.IsCancellationRequested && !cancellationToken.IsCancellationRequested))
        {
            // The store is looked into again; but nobody waits past the deadline.
            if (isOver) _assembly.Fail(DeliveryRules.Expired, _given);
        }
        catch (MalformedMessageException fault)
        {
            _assembly.Fail(new InferenceError(InferenceErrorKind.Internal, $"The result can't be read. {fault.Message}"), _given);
        }
        finally
        {
            if (isIn) looks.Release();
            _heard = time.GetTimestamp();
        }
    }

    private InferenceResult Expired => new() { Id = request.Id, Outcome = RequestOutcome.Expired, Error = DeliveryRules.Expired };
}
