using System.Collections.Concurrent;
using R1Serverless.Batching;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Generation;

/// <summary>
/// The door to one variant's step loop. Any thread may submit and cancel; one dedicated thread owns scheduler, slots and session
/// and runs the turns.
/// </summary>
internal sealed class Engine : IAsyncDisposable
{
    private readonly ConcurrentQueue<(Sequence Sequence, bool Cancels)> _inbox = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StepLoop _loop;
    private readonly EngineOptions _options;
    private long _numbers;
    private int _open;
    private volatile bool _stopping;

    public Engine(IModelRunner runner, int contextLength, EngineOptions options, string model, TimeProvider time)
    {
        _options = options;
        Limits = new SchedulerLimits(contextLength, Math.Max(1, options.KvMemory / runner.KvBytesPerToken), options.StepTime);
        _loop = new StepLoop(runner, Limits, model, time, () => Interlocked.Decrement(ref _open));
        new Thread(Run) { IsBackground = true, Name = $"engine {model}" }.Start();
    }

    public SchedulerLimits Limits { get; }

    public EngineLoad Load => _loop.Load with { Waiting = Math.Max(0, Volatile.Read(ref _open) - _loop.Load.Running) };

    public long NextNumber() => Interlocked.Increment(ref _numbers);

    /// <summary>Takes all sequences of a request or, when too many wait already, none.</summary>
    public bool TrySubmit(IReadOnlyList<Sequence> sequences)
    {
        var open = Interlocked.Add(ref _open, sequences.Count);
        if (_stopping || open - _loop.Load.Running > _options.MaxWaiting)
        {
            Interlocked.Add(ref _open, -sequences.Count);
            return false;
        }

        foreach (var sequence in sequences) _inbox.Enqueue((sequence, false));
        _wake.Set();
        return true;
    }

    /// <summary>Frees what the sequence holds at the next step; nothing if it has ended.</summary>
    public void Cancel(Sequence sequence)
    {
        _inbox.Enqueue((sequence, true));
        _wake.Set();
    }

    /// <summary>Ends what still runs and stops the thread. Whoever wants to drain waits for <see cref="Load"/> to fall to zero first.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        _wake.Set();
        await _stopped.Task;
        _wake.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            while (_inbox.TryDequeue(out var entry))
            {
                if (entry.Cancels) _loop.Cancel(entry.Sequence);
                else _loop.Enqueue(entry.Sequence);
            }

            if (!_loop.Turn()) _wake.WaitOne();
        }

        while (_inbox.TryDequeue(out var entry))
        {
            if (!entry.Cancels) _loop.Enqueue(entry.Sequence);
        }

        _loop.Stop(new InferenceError(InferenceErrorKind.Unavailable, "The worker is shutting down.", RetryAfter: TimeSpan.FromSeconds(1)));
        _stopped.SetResult();
    }
}

/// <summary>What an engine has to do right now.</summary>
/// <param name="Running">Sequences in slots.</param>
/// <param name="Waiting">Sequences without one.</param>
/// <param name="Steps">Model runs so far.</param>
/// <param name="Tokens">Tokens generated so far.</param>
/// <param name="RunTime">Time the engine's thread has spent in the model and its slots.</param>
/// <param name="CommitTime">Time it has spent on sampling and bookkeeping; what is left, it waited.</param>
public readonly record struct EngineLoad(int Running, int Waiting, long Steps, long Tokens, TimeSpan RunTime, TimeSpan CommitTime);
