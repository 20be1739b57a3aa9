using R1Serverless.Engine.Steps;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Serving;

/// <summary>This process's way to the queue. Opened once, by whoever needs it first; closed last, after everything that uses it.</summary>
internal sealed class QueueConnection(ServeOptions options, TimeProvider time, ILoggerFactory logs, ILogger<QueueConnection> log) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _closing = new();
    private Task<TransportRuntime>? _opening;

    /// <summary>Null until it is open.</summary>
    public TransportRuntime? Queue { get; private set; }

    /// <summary>Opens it, or waits until another has. What can't be reached now is tried again and again.</summary>
    /// <exception cref="TransportException">It is configured wrongly; the message says what to do.</exception>
    public Task<TransportRuntime> OpenAsync(CancellationToken cancellationToken)
    {
        lock (_gate) _opening ??= OpenOnceAsync(_closing.Token);
        return _opening.WaitAsync(cancellationToken);
    }

    /// <summary>The same; null where it can't be opened, which whoever needs the queue says, or the process stops.</summary>
    public async Task<TransportRuntime?> TryOpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await OpenAsync(cancellationToken);
        }
        catch (Exception fault) when (fault is TransportException || cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>The same, but not for longer than this.</summary>
    /// <exception cref="TransportException">It can't be reached so soon, or is configured wrongly.</exception>
    public async Task<TransportRuntime> OpenWithinAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            return await OpenAsync(cancellationToken).WaitAsync(limit, time, cancellationToken);
        }
        catch (TimeoutException fault)
        {
            throw new TransportException("The queue is not open yet.", fault);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        if (_opening is { } opening) await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Queue is { } queue) await queue.DisposeAsync();
        _closing.Dispose();
    }

    private async Task<TransportRuntime> OpenOnceAsync(CancellationToken closing)
    {
        // The caller's thread goes on: opening may read files.
        await Task.Yield();
        return Queue = await new TransportRetry(time, log).RunAsync("open the queue", ConnectAsync, closing, isFinal: fault => fault.IsPermanent);
    }

    private async ValueTask<TransportRuntime> ConnectAsync(CancellationToken closing)
    {
        var transport = Transports.Create(options.Transport, time, logs);
        try
        {
            await transport.OpenAsync(closing);
            return new TransportRuntime(
                transport, isGateway: options.Role != ServeRole.Worker, isWorker: options.Role != ServeRole.Gateway,
                request => PrefixSalt.Of(request, options.PrefixSharing), time, logs);
        }
        catch
        {
            await transport.DisposeAsync();
            throw;
        }
    }
}
