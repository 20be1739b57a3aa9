using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Scheduling.Tensors;

namespace R1Serverless.Engine.Tensors;

/// <summary>
/// Runs requests to one variant that is no decoder: lanes, each a thread, take the next run from one queue. Any thread may ask. A fault in a run of
/// several is that of one of them: each is then run by itself.
/// </summary>
internal sealed class TensorEngine : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly TensorSession _session;
    private readonly TensorBatching _batching;
    private readonly TensorQueue<Pending> _queue;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly TaskCompletionSource[] _ended;
    private readonly int _maxWaiting;
    private readonly TimeProvider _time;
    private long _runs;
    private int _running;
    private bool _stopping;

    /// <summary>Takes ownership of the session.</summary>
    public TensorEngine(TensorSession session, TensorBatching batching, TensorRunLimits limits, int lanes, int maxWaiting, string model,
        TimeProvider time)
    {
        (_session, _batching, _maxWaiting, _time) = (session, batching, maxWaiting, time);
        session.MaxOutputBytes = limits.MaxOutputBytes;
        _queue = new TensorQueue<Pending>(limits, lanes);
        _ended = [.. Enumerable.Range(0, lanes).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
        for (var lane = 0; lane < lanes; lane++)
        {
            var ended = _ended[lane];
            new Thread(() => RunLane(ended)) { IsBackground = true, Name = $"lane {lane + 1} {model}" }.Start();
        }
    }

    public EngineLoad Load
    {
        get
        {
            lock (_gate) return new EngineLoad(_running, _queue.Count, _runs, 0, default, default) { IsFull = _queue.Count >= _maxWaiting };
        }
    }

    /// <summary>Runs one request, alone or with others of its shape.</summary>
    /// <param name="inputs">All that the graph has, checked against it, in its order.</param>
    /// <param name="cancellationToken">Takes the request back while it waits; a run goes on to its end.</param>
    /// <returns>The outputs in the graph's order, or why there are none.</returns>
    public async Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error)> RunAsync(IReadOnlyList<Tensor> inputs, int priority,
        CancellationToken cancellationToken)
    {
        var run = await RunTimedAsync(inputs, priority, cancellationToken);
        return (run.Outputs, run.Error);
    }

    /// <summary>The same, with the time that its run took.</summary>
    public async Task<TensorRun> RunTimedAsync(IReadOnlyList<Tensor> inputs, int priority, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var pending = new Pending(inputs);
        var rows = _batching.RowsOf(inputs);
        WaitingTensors<Pending> waiting;
        lock (_gate)
        {
            if (_stopping) return new TensorRun([], Submission.Stopping.ToError(), default);
            if (_queue.Count >= _maxWaiting) return new TensorRun([], Submission.Full.ToError(), default);
            var bytes = inputs.Sum(input => (long)input.Data.Length);
            waiting = _queue.Add(pending, rows is null ? null : ShapeOf(inputs), rows ?? 1, bytes, priority, _time.GetTimestamp());
        }

        _wake.Release();
        using var cancelled = cancellationToken.UnsafeRegister(_ =>
        {
            lock (_gate)
            {
                if (!_queue.Remove(waiting)) return;
            }

            pending.Done.TrySetCanceled(cancellationToken);
        }, null);
        return await pending.Done.Task;
    }

    /// <summary>Ends the runs under way; what waits is told to go elsewhere.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate) _stopping = true;
        _wake.Release(_ended.Length);
        foreach (var lane in _ended) await lane.Task;
        while (Take(out _) is { Count: > 0 } left) left.ForEach(one => one.Request.End(Submission.Stopping.ToError()));
        _session.Dispose();
        _wake.Dispose();
    }

    /// <summary>Equal for requests that may share a run: types and names are the graph's, so that shapes without the batch axis tell them
    /// apart.</summary>
    private static string ShapeOf(IReadOnlyList<Tensor> inputs) => string.Join(';', inputs.Select(input => string.Join(',', input.Shape.Skip(1))));

    private void RunLane(TaskCompletionSource ended)
    {
        long? due = null;
        while (true)
        {
            // Woken once for each request, and when one is due that waited for others: where another lane has taken it, there is nothing.
            _wake.Wait(due is { } at ? _time.GetElapsedTime(_time.GetTimestamp(), at) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero
                : Timeout.InfiniteTimeSpan);
            lock (_gate)
            {
                if (_stopping) break;
            }

            if (Take(out due) is { Count: > 0 } run) Run(run);
        }

        ended.SetResult();
    }

    private List<WaitingTensors<Pending>> Take(out long? due)
    {
        lock (_gate)
        {
            List<WaitingTensors<Pending>> run = [.. _queue.Next(_stopping ? long.MaxValue : _time.GetTimestamp(), out due)];
            _running += run.Count;
            _runs += Math.Sign(run.Count);
            return run;
        }
    }

    private void Run(List<WaitingTensors<Pending>> run)
    {
        try
        {
            if (TryRun(run) is { } fault)
            {
                if (run.Count == 1) Fail(run[0].Request, fault);
                else run.ForEach(one =>
                {
                    if (TryRun([one]) is { } own) Fail(one.Request, own);
                });
            }
        }
        finally
        {
            lock (_gate) _running -= run.Count;
        }
    }

    private Exception? TryRun(List<WaitingTensors<Pending>> run)
    {
        var began = _time.GetTimestamp();
        try
        {
            var isBatched = !run[0].IsAlone;
            var parts = _session.Run(
                [.. run.Select(one => one.Request.Inputs)], isBatched ? [.. run.Select(one => one.Rows)] : null,
                isBatched ? _batching.MinRowsOf(run[0].Request.Inputs) : 1);
            var ran = _time.GetElapsedTime(began);
            for (var i = 0; i < run.Count; i++) run[i].Request.Done.TrySetResult(new TensorRun(parts[i], null, ran));
            return null;
        }
        catch (Exception fault)
        {
            // The boundary of a lane: who asked is told, and the lane goes on.
            return fault;
        }
    }

    /// <summary>What a graph refuses, it refuses for what is in its inputs, as their types and shapes have been checked.</summary>
    private void Fail(Pending pending, Exception fault)
    {
        if (fault is OutputLimitException) pending.End(OutputLimitException.Error(_session.MaxOutputBytes));
        else if (OrtFault.IsOutOfMemory(fault))
            pending.End(new InferenceError(InferenceErrorKind.OutOfMemory, "The request does not fit into the memory, even alone."));
        else if (OrtFault.IsExpected(fault) || fault is ArgumentException or OverflowException)
            pending.End(new InferenceError(InferenceErrorKind.InvalidRequest, $"The graph can't be run over these inputs: {OrtFault.Words(fault)}",
                "inputs"));
        else pending.Done.TrySetException(fault);
    }

    private sealed class Pending(IReadOnlyList<Tensor> inputs)
    {
        public IReadOnlyList<Tensor> Inputs => inputs;

        public TaskCompletionSource<TensorRun> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void End(InferenceError error) => Done.TrySetResult(new TensorRun([], error, default));
    }
}

/// <summary>How a request's run ended.</summary>
/// <param name="Outputs">In the graph's order; empty where there is an error.</param>
/// <param name="Ran">The run's time, which those that shared it have in common; zero where there was none.</param>
internal readonly record struct TensorRun(IReadOnlyList<Tensor> Outputs, InferenceError? Error, TimeSpan Ran);
