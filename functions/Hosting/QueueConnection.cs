using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>This process's way to the queue. Opened once, by whoever needs it first; closed last, after everything that uses it.</summary>
internal sealed partial class QueueConnection(ServeOptions options, TimeProvider time, ILoggerFactory logs, ILogger<QueueConnection> log) : IAsyncDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1), LongestRetry = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _closing = new();
    private Task<OpenQueue>? _opening;

    /// <summary>Null until it is open.</summary>
    public OpenQueue? Queue { get; private set; }

    /// <summary>Opens it, or waits until another has. What can't be reached now is tried again and again.</summary>
    /// <exception cref="TransportException">It is configured wrongly; the message says what to do.</exception>
    public Task<OpenQueue> OpenAsync(CancellationToken cancellationToken)
    {
        lock (_gate) _opening ??= OpenOnceAsync(_closing.Token);
        return _opening.WaitAsync(cancellationToken);
    }

    /// <summary>The same, but not for longer than this.</summary>
    /// <exception cref="TransportException">It can't be reached so soon, or is configured wrongly.</exception>
    public async Task<OpenQueue> OpenWithinAsync(TimeSpan limit, CancellationToken cancellationToken)
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

    private async Task<OpenQueue> OpenOnceAsync(CancellationToken closing)
    {
        // The caller's thread goes on: opening may read files.
        await Task.Yield();
        for (TimeSpan wait = FirstRetry; ; wait = wait * 2 < LongestRetry ? wait * 2 : LongestRetry)
        {
            Transport transport = Transports.Create(options.Transport, time, logs);
            try
            {
                await transport.OpenAsync(closing);
                return Queue = new OpenQueue(transport, options.Role != ServeRole.Worker, time, logs);
            }
            catch (TransportException fault) when (!fault.IsPermanent)
            {
                await transport.DisposeAsync();
                LogUnreachable(fault.Message, wait.TotalSeconds);
                await Task.Delay(wait, time, closing);
            }
            catch
            {
                await transport.DisposeAsync();
                throw;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue can't be reached, next attempt in {Seconds} s: {Reason}")]
    private partial void LogUnreachable(string reason, double seconds);
}
