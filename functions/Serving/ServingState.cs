using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Serving;

internal enum ServingPhase
{
    /// <summary>The port is open, the models are not ready.</summary>
    Loading,
    Ready,

    /// <summary>Answers in flight finish; new requests are refused.</summary>
    Draining,
}

/// <summary>What can be asked right now.</summary>
internal delegate ValueTask<IReadOnlyList<ServedModel>> ModelSource(CancellationToken cancellationToken);

/// <summary>What this process serves right now: its phase, models and the answers in flight. Safe for several threads.</summary>
internal sealed class ServingState : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _abort = new(), _drain = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IInference? _inference;
    private ModelSource _models = static _ => ValueTask.FromResult<IReadOnlyList<ServedModel>>([]);
    private int _inFlight;

    public ServingPhase Phase { get; private set; }

    /// <summary>Cancelled when the drain begins.</summary>
    public CancellationToken Drain => _drain.Token;

    /// <summary>Cancelled when the grace period is over: answers still in flight stop.</summary>
    public CancellationToken Abort => _abort.Token;

    /// <summary>The phase becomes Ready, unless the process is already stopping.</summary>
    public void Open(IInference inference, ModelSource models)
    {
        lock (_gate)
        {
            _inference = inference;
            _models = models;
            if (Phase == ServingPhase.Loading) Phase = ServingPhase.Ready;
        }
    }

    /// <summary>What can be asked right now; nothing before the phase is Ready.</summary>
    /// <exception cref="TransportException">Workers serve it, and their registrations can't be read.</exception>
    public ValueTask<IReadOnlyList<ServedModel>> ListModelsAsync(CancellationToken cancellationToken)
    {
        ModelSource models;
        lock (_gate) models = _models;
        return models(cancellationToken);
    }

    /// <summary>Counts one answer in, to be disposed at its end; null unless the phase is Ready.</summary>
    public InFlight? TryEnter()
    {
        lock (_gate)
        {
            if (Phase != ServingPhase.Ready) return null;
            _inFlight++;
            return new InFlight(this, _inference!);
        }
    }

    /// <summary>The same for a request of this process's own, before anybody else's; null once it stops.</summary>
    public InFlight? TryEnter(IInference inference)
    {
        lock (_gate)
        {
            if (Phase == ServingPhase.Draining) return null;
            _inFlight++;
            return new InFlight(this, inference);
        }
    }

    /// <summary>Refuses new requests from now on; the task ends when no answer is in flight.</summary>
    public Task BeginDrain()
    {
        lock (_gate)
        {
            Phase = ServingPhase.Draining;
            if (_inFlight == 0) _drained.TrySetResult();
        }

        _drain.Cancel();
        return _drained.Task;
    }

    public void AbortInFlight() => _abort.Cancel();

    public void Dispose()
    {
        _abort.Dispose();
        _drain.Dispose();
    }

    private void Leave()
    {
        lock (_gate)
        {
            _inFlight--;
            if (_inFlight == 0 && Phase == ServingPhase.Draining) _drained.TrySetResult();
        }
    }

    /// <summary>One answer in flight, and who gives it.</summary>
    internal sealed class InFlight(ServingState serving, IInference inference) : IDisposable
    {
        private int _left;

        public IInference Inference { get; } = inference;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0) serving.Leave();
        }
    }
}
