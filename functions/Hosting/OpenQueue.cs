using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>The open transport, and what a process does over it as a gateway.</summary>
internal sealed class OpenQueue : IAsyncDisposable
{
    // A worker that is there says what became of the request; where none is, the client is told soon.
    private static readonly TimeSpan DeadlineMargin = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _closing = new();
    private readonly Task _sampling;
    private readonly Task _turning;

    /// <param name="transport">Open; this takes ownership.</param>
    /// <param name="isGateway">Whether replies are for this process; a mere worker puts nothing into the queue.</param>
    public OpenQueue(Transport transport, bool isGateway, TimeProvider time, ILoggerFactory logs)
    {
        Transport = transport;
        Cards = new WorkerCards(transport.Store);
        Workers = new LiveWorkers(Cards, time);
        Gateway = new QueuedInference(transport, new QueuedInferenceOptions { DeadlineMargin = DeadlineMargin }, time, logs.CreateLogger<QueuedInference>());
        Signals = new QueueSignals(transport.Queue, time, logs.CreateLogger<QueueSignals>());
        Turns = new AsyncTurns(transport, Gateway, time, logs.CreateLogger<AsyncTurns>());
        Receiving = isGateway ? Gateway.ReceiveAsync(_closing.Token) : Task.CompletedTask;
        _sampling = Signals.RunAsync(_closing.Token);
        // In every role: gateways may all be gone while workers still work.
        _turning = Turns.RunAsync(_closing.Token);
    }

    public Transport Transport { get; }

    /// <summary>Requests that go through the queue.</summary>
    public QueuedInference Gateway { get; }

    /// <summary>Requests that nobody waits for, on their way into the queue.</summary>
    public AsyncTurns Turns { get; }

    /// <summary>How full the queues are.</summary>
    public QueueSignals Signals { get; }

    public WorkerCards Cards { get; }

    public LiveWorkers Workers { get; }

    /// <summary>Takes in what workers reply; ends early only by a fault.</summary>
    public Task Receiving { get; }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await Receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _sampling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _turning.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Signals.Dispose();
        await Gateway.DisposeAsync();
        await Transport.DisposeAsync();
        Workers.Dispose();
        _closing.Dispose();
    }
}
