using R1Serverless.Abstractions.Threading;
using R1Serverless.Api.Dispatch;
using R1Serverless.ModelLoading;
using R1Serverless.Queues;
using R1Serverless.Queues.Worker;
using R1Serverless.Serving;

namespace R1Serverless.Hosting;

/// <summary>Processes the queue with the loaded models, and tells the gateways what they are.</summary>
internal sealed class QueueWork(ServeOptions options, TimeProvider time, ILoggerFactory logs) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stopLeasing = new();
    private Task? _running;

    /// <summary>Until the drain has begun and what was leased has ended; not at all where it has begun before, also where all this is gone
    /// already.</summary>
    public Task RunAsync(TransportRuntime queue, LoadedModels loaded)
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

    private async Task RunOnceAsync(TransportRuntime queue, LoadedModels loaded, CancellationToken stopLeasing)
    {
        var engine = options.Precision is { } usual ? new DefaultPrecisionInference(loaded.Inference, usual) : loaded.Inference;
        queue.Workers.Own = loaded.Models;
        WorkerPrefixes prefixes = new(queue.Transport.WorkerId, time);
        QueueWorker worker = new(
            queue.Transport, engine, new ServedRoutes(() => RequestRoute.Of(loaded.Models()), time), loaded.Load,
            new QueueWorkerOptions { Grace = options.Grace }, time, logs.CreateLogger<QueueWorker>(), queue.Workers, prefixes);
        WorkerHeartbeat presence = new(
            queue.Registrations, loaded.Models, prefixes, () => loaded.Load().IsFull, time, logs.CreateLogger<WorkerHeartbeat>());
        // A worker that gateways don't see works for nobody, and one that is seen must work.
        await BackgroundWork.RunAsync(stopLeasing, worker.RunAsync, presence.RunAsync);
    }
}
