using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Serving;

/// <summary>The open transport, and what a process does over it as a gateway.</summary>
internal sealed class TransportRuntime : IAsyncDisposable
{
    private readonly CancellationTokenSource _closing = new();

    /// <param name="transport">Open; this takes ownership.</param>
    /// <param name="isGateway">Whether replies are for this process; a mere worker puts nothing into the queue.</param>
    /// <param name="isWorker">Whether this process has models of its own.</param>
    /// <param name="prefixSalt">See <see cref="PrefixPlacement"/>.</param>
    public TransportRuntime(
        Transport transport, bool isGateway, bool isWorker, Func<InferenceRequest, string?> prefixSalt, TimeProvider time, ILoggerFactory logs)
    {
        Transport = transport;
        Registrations = new WorkerRegistrations(transport.Store);
        Workers = new WorkerDirectory(Registrations, time) { IsWorker = isWorker };
        Gateway = new QueuedInference(transport, time, logs.CreateLogger<QueuedInference>(), Workers, new PrefixPlacement(Workers, prefixSalt, time));
        Signals = new QueueSignals(transport.Queue, time, logs.CreateLogger<QueueSignals>());
        Background = BackgroundWork.RunAsync(_closing.Token, Signals.RunAsync, stop => isGateway ? Gateway.ReceiveAsync(stop) : Task.CompletedTask);
    }

    public Transport Transport { get; }

    /// <summary>Requests that go through the queue.</summary>
    public QueuedInference Gateway { get; }

    /// <summary>How full the queues are.</summary>
    public QueueSignals Signals { get; }

    public WorkerRegistrations Registrations { get; }

    public WorkerDirectory Workers { get; }

    /// <summary>What is done over the transport all the time, in every role; ends early only by a fault.</summary>
    public Task Background { get; }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await Background.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Signals.Dispose();
        await Gateway.DisposeAsync();
        await Transport.DisposeAsync();
        Workers.Dispose();
        _closing.Dispose();
    }
}
