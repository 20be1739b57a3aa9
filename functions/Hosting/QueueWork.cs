using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Works off the queue with the loaded models, and tells the gateways what they are.</summary>
internal sealed class QueueWork(ServeOptions options, TimeProvider time, ILoggerFactory logs) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stopLeasing = new();
    private Task? _running;

    /// <summary>Until the drain has begun and what was leased has ended; not at all where it has begun before, also where all this is gone already.</summary>
    public Task RunAsync(OpenQueue queue, LoadedModels loaded)
    {
        lock (_gate) return _running ??= _stopLeasing.IsCancellationRequested ? Task.CompletedTask : RunOnceAsync(queue, loaded, _stopLeasing.Token);
    }

    /// <summary>Leases no more from now on; the task ends, without an exception, when what was leased has ended or been handed back.</summary>
    public async Task DrainAsync()
    {
        Task? running;
        lock (_gate)
        {
            _stopLeasing.Cancel();
            running = _running;
        }

        // Whoever runs it sees its faults.
        if (running is not null) await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Also where the host was never asked to stop: the queue must not close under the work.</summary>
    public async ValueTask DisposeAsync()
    {
        await DrainAsync();
        _stopLeasing.Dispose();
    }

    private async Task RunOnceAsync(OpenQueue queue, LoadedModels loaded, CancellationToken stopLeasing)
    {
        IInference engine = options.Precision is { } usual ? new UsualPrecision(loaded.Inference, usual) : loaded.Inference;
        QueueWorker worker = new(queue.Transport, engine, loaded.Load, new QueueWorkerOptions { Grace = options.Grace }, time, logs.CreateLogger<QueueWorker>());
        WorkerPresence presence = new(queue.Cards, loaded.Models, time, logs.CreateLogger<WorkerPresence>());
        await Task.WhenAll(worker.RunAsync(stopLeasing), presence.RunAsync(stopLeasing));
    }
}
