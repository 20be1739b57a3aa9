using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>Answers requests with the workers behind the queues. Whatever happens to workers, a stream goes on where it was: another delivery repeats
/// the answer, and the client gets only what it has not got.</summary>
/// <param name="workers">Who can be asked; null where every request goes to the workers of its model.</param>
/// <param name="placement">Which of them has a prompt's beginning; null where that makes no difference.</param>
public sealed partial class QueuedInference(
    Transport transport, TimeProvider time, ILogger log, WorkerDirectory? workers = null, PrefixPlacement? placement = null)
    : IInference, IAsyncDisposable
{
    private const int MaxLooks = 16;

    // A worker that is there says what became of the request; where none is, the client is told soon.
    private static readonly TimeSpan DeadlineMargin = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan FirstFollow = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<RequestId, PendingResponse> _awaited = new();
    private readonly ResultStore _results = new(transport.Store);
    private readonly SemaphoreSlim _looks = new(MaxLooks, MaxLooks);
    private readonly RequestCanceller _canceller = new(transport.Store, time, log);
    private volatile bool _leavesRunning;

    /// <summary>Requests whose clients wait here.</summary>
    public int Awaited => _awaited.Count;

    /// <summary>Takes in what workers reply, until cancelled. To be run once, for as long as requests run.</summary>
    public async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var reply in transport.Replies.ReceiveAsync(cancellationToken))
            {
                if (reply.Worker is { } worker) placement?.OnAnswering(reply.Id, worker);
                if (_awaited.TryGetValue(reply.Id, out var answer)) answer.Add(reply);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The gateway closes.
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        RunAsync(request, enqueued: null, isShared: false, cancellationToken);

    /// <summary>The same for a request that somebody may come back for: once it is enqueued it runs to its end, also if the stream is cut
    /// off.</summary>
    /// <param name="enqueued">Called when it is in the queue.</param>
    /// <param name="isShared">Others may enqueue it by the same id, before or after: it is not taken back, even where this could not enqueue
    /// it.</param>
    public IAsyncEnumerable<InferenceEvent> RunDurablyAsync(
        InferenceRequest request, Func<CancellationToken, ValueTask> enqueued, bool isShared, CancellationToken cancellationToken) =>
        RunAsync(request, enqueued, isShared, cancellationToken);

    private async IAsyncEnumerable<InferenceEvent> RunAsync(
        InferenceRequest request, Func<CancellationToken, ValueTask>? enqueued, bool isShared,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PendingResponse answer = new(request, _results, _looks, DeadlineMargin, time);
        if (!_awaited.TryAdd(request.Id, answer))
        {
            if (isShared)
            {
                await foreach (var inferenceEvent in RunBesideAsync(request, enqueued, cancellationToken)) yield return inferenceEvent;
                yield break;
            }

            yield return new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.InvalidRequest, $"Request {request.Id} runs already."));
            yield break;
        }

        var goesOn = false;
        try
        {
            using var place = placement is null ? null : await placement.PlaceAsync(request, cancellationToken);
            if (await TryEnqueueAsync(request, place, cancellationToken) is { } error)
            {
                yield return new InferenceEvent.Failed(error);
                yield break;
            }

            goesOn = enqueued is not null;
            if (enqueued is not null) await enqueued(cancellationToken);
            while (!answer.IsEnded)
            {
                foreach (var inferenceEvent in await answer.NextAsync(cancellationToken)) yield return inferenceEvent;
            }
        }
        finally
        {
            _awaited.TryRemove(request.Id, out _);
            if (!answer.IsEnded && !goesOn && !isShared && !_leavesRunning) _canceller.Begin(request.Id);
        }
    }

    /// <summary>A request whose replies another call waits for here, and may never have enqueued.</summary>
    private async IAsyncEnumerable<InferenceEvent> RunBesideAsync(
        InferenceRequest request, Func<CancellationToken, ValueTask>? enqueued, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await TryEnqueueAsync(request, place: null, cancellationToken) is { } error)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        if (enqueued is not null) await enqueued(cancellationToken);
        await foreach (var inferenceEvent in FollowAsync(request, cancellationToken)) yield return inferenceEvent;
    }

    /// <summary>Enqueues a request that nobody listens to; it is durable when the task completes, and its result goes to the store.</summary>
    /// <param name="batch">The batch that it is a line of; null for none.</param>
    /// <exception cref="TransportException">The queue can't be reached; the request may be in it all the same.</exception>
    public ValueTask SubmitAsync(InferenceRequest request, WorkClass workClass, string? batch, CancellationToken cancellationToken) =>
        EnqueueAsync(new QueuedRequest { Request = Seeded(request), Class = workClass, Batch = batch }, cancellationToken);

    /// <summary>The events of a request that somebody else has submitted, once it has ended; waits for that as long as it takes, until its deadline
    /// if it has one. At the deadline the request is ended here, as nobody else may be left to do so.</summary>
    /// <param name="request">With what it may take from now on.</param>
    public async IAsyncEnumerable<InferenceEvent> FollowAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PendingResponse answer = new(request, _results, _looks, DeadlineMargin, time, FirstFollow);
        answer.Look();
        while (!answer.IsEnded)
        {
            foreach (var inferenceEvent in await answer.NextAsync(cancellationToken)) yield return inferenceEvent;
        }
    }

    /// <summary>Takes a request back: it ends as cancelled unless it has ended, and a worker that runs it stops within two seconds.</summary>
    /// <returns>Whether this ended it.</returns>
    /// <exception cref="TransportException">The store can't be reached; ask again.</exception>
    public async ValueTask<bool> CancelAsync(RequestId id, CancellationToken cancellationToken)
    {
        var ended = await _canceller.WithdrawAsync(id, cancellationToken);
        if (_awaited.TryGetValue(id, out var answer)) answer.Look();
        return ended;
    }

    /// <summary>From now on a stream that is cut off leaves its request running: the gateway stops, and clients come back for the result.</summary>
    public void LeaveRunning() => _leavesRunning = true;

    public ValueTask DisposeAsync() => _canceller.DisposeAsync();

    /// <summary>Where nobody listens here, a call that nobody else records begins no trace: its worker decides for itself.</summary>
    private static string? Trace =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } current && (current.Recorded || Activities.AreRecorded) ? id : null;

    /// <summary>Another delivery has to repeat the same text: a random answer needs a seed that stays.</summary>
    private static InferenceRequest Seeded(InferenceRequest request) => request.Sampling.Seed is not null
        ? request
        : request with { Sampling = request.Sampling with { Seed = Random.Shared.NextInt64() } };

    private async ValueTask EnqueueAsync(QueuedRequest message, CancellationToken cancellationToken)
    {
        var workClass = WorkClassName.Of(message.Class);
        using var sending = Activities.BeginEnqueue(workClass, message.Request.Id.Value);
        try
        {
            // Where no worker is there, the first to come decides whether the model exists.
            var isForAny = workers is not null && !(await workers.CheckAsync(message.Route, cancellationToken)).IsServed;
            await transport.Queue.EnqueueAsync([message with { TraceParent = Trace, IsForAny = isForAny }], cancellationToken);
        }
        catch (TransportException)
        {
            sending.OnFailed("unreachable");
            throw;
        }

        QueueInstruments.OnEnqueued(workClass, 1);
    }

    /// <summary>Why the request could not be enqueued; null if it was.</summary>
    private async ValueTask<InferenceError?> TryEnqueueAsync(
        InferenceRequest request, PrefixPlacement.Place? place, CancellationToken cancellationToken)
    {
        QueuedRequest message = new()
        {
            Request = Seeded(request), Class = WorkClass.Interactive, ReplyTo = transport.Replies.Address,
            Prefixes = place is { Prefixes.Count: > 0 } ? place.Prefixes : null, Worker = place?.Worker,
        };
        try
        {
            await EnqueueAsync(message, cancellationToken);
            return null;
        }
        catch (TransportException fault)
        {
            LogNotEnqueued(request.Id.Value, fault.Message);
            return new InferenceError(InferenceErrorKind.Unavailable, "The request queue can't be reached. Retry later.", RetryAfter: RetryLater);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} could not be enqueued: {Fault}")]
    private partial void LogNotEnqueued(string requestId, string fault);
}
