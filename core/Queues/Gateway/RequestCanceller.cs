using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>Takes requests back whose clients have gone, in the background: a few at a time, and none for ever.</summary>
internal sealed partial class RequestCanceller(IObjectStore store, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private const int MaxAtOnce = 8;
    private const int MaxWaiting = 4096;

    private static readonly TimeSpan LongestTry = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestClose = TimeSpan.FromSeconds(5);

    private readonly ResultStore _results = new(store);
    private readonly CancellationMarkers _marks = new(store);
    private readonly TransportRetry _retry = new(time, log);
    private readonly SemaphoreSlim _turns = new(MaxAtOnce, MaxAtOnce);
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _running = [];
    private readonly CancellationTokenSource _closing = new();
    private bool _isClosed;

    /// <summary>Ends a request as cancelled and stops it wherever it runs; false if it had ended.</summary>
    public async ValueTask<bool> WithdrawAsync(RequestId id, CancellationToken cancellationToken)
    {
        InferenceResult cancelled = new() { Id = id, Outcome = RequestOutcome.Cancelled, Error = DeliveryRules.Cancelled };
        var ended = await _results.TryPutAsync(cancelled, cancellationToken);
        // An earlier try may have come as far as the result, and no further.
        if (!ended && await _results.FindAsync(id, cancellationToken) is not { Outcome: RequestOutcome.Cancelled }) return false;
        await _marks.SetAsync(id.Value, cancellationToken);
        return ended;
    }

    /// <summary>The same, without waiting for it. Once this is closed nothing: the process stops, and the request runs on for whoever comes
    /// back.</summary>
    public void Begin(RequestId id)
    {
        lock (_gate)
        {
            if (_isClosed) return;
            _running.RemoveWhere(task => task.IsCompleted);
            if (_running.Count < MaxWaiting) _running.Add(TryWithdrawAsync(id));
            else LogNotWithdrawn(id.Value);
        }
    }

    /// <summary>Gives what has begun a moment. Nothing touches the store any more when it completes, since that is closed next.</summary>
    public async ValueTask DisposeAsync()
    {
        Task all;
        lock (_gate)
        {
            if (_isClosed) return;
            _isClosed = true;
            all = Task.WhenAll(_running);
        }

        try
        {
            await all.WaitAsync(LongestClose, time);
        }
        catch (TimeoutException)
        {
            LogLeft();
            _closing.Cancel();
            await all;
        }

        _closing.Dispose();
    }

    private async Task TryWithdrawAsync(RequestId id)
    {
        await Task.Yield();
        using TimeLimit patience = new(LongestTry, time, _closing.Token);
        try
        {
            using var turn = await _turns.EnterAsync(patience.Token);
            await _retry.RunAsync("cancel a request", stop => WithdrawAsync(id, stop), patience.Token);
        }
        catch (OperationCanceledException) when (patience.Token.IsCancellationRequested)
        {
            // Those that closing cut short have been told of together.
            if (!_closing.IsCancellationRequested) LogNotWithdrawn(id.Value);
        }
        catch (Exception fault)
        {
            // The boundary of one request: nobody waits for this task.
            LogBroken(fault, id.Value);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Requests whose clients have gone were left uncancelled: they run to their end")]
    private partial void LogLeft();

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId}, whose client has gone, could not be cancelled")]
    private partial void LogBroken(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Request {RequestId}, whose client has gone, could not be cancelled: it runs to its end")]
    private partial void LogNotWithdrawn(string requestId);
}
