using R1Serverless.Abstractions;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Steps;

/// <summary>
/// Other threads' access to one variant's step loop. Any thread may submit and cancel; one dedicated thread owns scheduler, slots and session
/// and runs the turns.
/// </summary>
internal sealed class InferenceEngine : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<(Sequence Sequence, bool Cancels)> _inbox = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly AdmissionCoalescer _coalescer;
    private readonly StepLoop _loop;
    private readonly EngineOptions _options;
    private readonly Task _published;
    private long _numbers;
    private int _open;

    /// <summary>Cancellations in the inbox.</summary>
    private int _cancels;

    /// <summary>Entries of the inbox that wake the thread; no number does while it works.</summary>
    private int _enough = int.MaxValue;

    /// <summary>Sequences that this turn has ended.</summary>
    private int _ended;
    private volatile bool _stopping;

    /// <param name="prefixes">What is on the disk; taken over, null for nothing.</param>
    public InferenceEngine(
        IModelRunner runner, int contextLength, EngineOptions options, string model, TimeProvider time, PrefixFile? prefixes = null)
    {
        _options = options;
        Limits = LimitsOf(runner, contextLength, options);
        var publisher = new Publisher(time);
        _coalescer = new AdmissionCoalescer(time);
        _loop = new StepLoop(runner, Limits, model, time, publisher, OnEnded, options.PrefixSharing != PrefixSharing.Off,
            prefixes is null ? null : new SavedPrefixes(runner, prefixes, model));
        _published = publisher.RunAsync();
        new Thread(Run) { IsBackground = true, Name = $"engine {model}" }.Start();
    }

    public SchedulerLimits Limits { get; }

    public static SchedulerLimits LimitsOf(IModelRunner runner, int contextLength, EngineOptions options) =>
        new(contextLength, Math.Max(1, options.KvMemory / runner.KvBytesPerToken), options.StepTime)
        {
            TakesMemoryLazily = runner.TakesMemoryLazily, MapsPrefixes = runner.MapsPrefixes && options.PrefixSharing != PrefixSharing.Off,
        };

    public EngineLoad Load => _loop.Load with { Waiting = Math.Max(0, Volatile.Read(ref _open) - _loop.Load.Running) };

    /// <inheritdoc cref="Steps.PrefixSalt.Of"/>
    public string? PrefixSalt(InferenceRequest request) => Steps.PrefixSalt.Of(request, _options.PrefixSharing);

    public long NextNumber() => Interlocked.Increment(ref _numbers);

    /// <summary>Takes all sequences of a request, or none. A request is never refused for its own size, only for those that wait before it.</summary>
    public Submission TrySubmit(IReadOnlyList<Sequence> sequences)
    {
        bool wakes;
        lock (_gate)
        {
            if (_stopping) return Submission.Stopping;
            if (Load.Waiting >= _options.MaxWaiting) return Submission.Full;
            Interlocked.Add(ref _open, sequences.Count);
            foreach (var sequence in sequences) _inbox.Enqueue((sequence, false));
            wakes = _inbox.Count >= _enough;
        }

        if (wakes) _wake.Set();
        return Submission.Accepted;
    }

    /// <summary>Frees what the sequence holds at the next step; nothing if it has ended.</summary>
    public void Cancel(Sequence sequence)
    {
        bool wakes;
        lock (_gate)
        {
            if (_stopping) return;
            _inbox.Enqueue((sequence, true));
            _cancels++;
            wakes = _enough < int.MaxValue;
        }

        if (wakes) _wake.Set();
    }

    /// <summary>Ends what still runs and stops the thread. Whoever wants to drain waits for <see cref="Load"/> to fall to zero first.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate) _stopping = true;
        _wake.Set();
        await _stopped.Task;
        await _published;
    }

    private void Run()
    {
        while (!_stopping)
        {
            TakeInbox();
            _ended = 0;
            var worked = _loop.Turn();
            _coalescer.OnTurn(_ended, _loop.Scheduler.Running.Count);
            if (!worked) Rest();
        }

        _coalescer.Forget();
        TakeInbox();
        _loop.Stop(new InferenceError(InferenceErrorKind.Unavailable, "The worker is shutting down.", RetryAfter: TimeSpan.FromSeconds(1)));
        _stopped.SetResult();
    }

    private void OnEnded()
    {
        Interlocked.Decrement(ref _open);
        _ended++;
    }

    /// <summary>Waits for something to do.</summary>
    private void Rest()
    {
        TimeSpan left;
        lock (_gate)
        {
            left = _coalescer.Wait(_inbox.Count);
            if (_stopping || _cancels > 0 || (_inbox.Count > 0 && left == TimeSpan.Zero)) return;
            _enough = Math.Max(1, _coalescer.Expected);
        }

        // The rest of a crowd that does not come is waited for once.
        if (left == TimeSpan.Zero) _wake.WaitOne();
        else if (!_wake.WaitOne(left)) _coalescer.Forget();
        lock (_gate) _enough = int.MaxValue;
    }

    /// <summary>Takes what was submitted and cancelled, unless more of a crowd is to come.</summary>
    private void TakeInbox()
    {
        lock (_gate)
        {
            if (_cancels == 0 && _coalescer.Wait(_inbox.Count) > TimeSpan.Zero) return;
            _cancels = 0;
            while (_inbox.TryDequeue(out var entry))
            {
                if (entry.Cancels) _loop.Cancel(entry.Sequence);
                else _loop.Enqueue(entry.Sequence);
            }
        }
    }
}

/// <summary>What an engine has to do right now.</summary>
/// <param name="Running">Sequences in slots.</param>
/// <param name="Waiting">Sequences without one.</param>
/// <param name="Steps">Model runs so far.</param>
/// <param name="Tokens">Tokens generated so far.</param>
/// <param name="RunTime">Time the engine's thread has spent in the model and its slots.</param>
/// <param name="CommitTime">Time it has spent on sampling and bookkeeping; what is left, it waited.</param>
public readonly record struct EngineLoad(int Running, int Waiting, long Steps, long Tokens, TimeSpan RunTime, TimeSpan CommitTime)
{
    /// <summary>Whether some of those that wait had no room at the last turn; else they are only on their way in.</summary>
    public bool IsFull { get; init; }
}
