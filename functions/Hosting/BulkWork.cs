using R1Serverless.Batches;
using R1Serverless.Batches.Jobs;
using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>
/// Drives bulk jobs and listens for new ones, in every role: the work itself is done by whoever drains the queue. Behind the Functions host its trigger takes the new ones, and nobody
/// listens here: the host sees messages also where it has to start a process for them, and one way in is enough. A folder has no trigger.
/// </summary>
internal sealed partial class BulkWork(
    QueueConnection connection, ServeOptions options, BatchLimits limits, TimeProvider time, IHostApplicationLifetime lifetime, ILoggerFactory logs, ILogger<BulkWork> log)
    : BackgroundService
{
    private readonly TaskCompletionSource<BatchDriver> _driver = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool Listens => !options.IsBehindHost || options.Transport.Kind == TransportKind.Embedded;

    /// <summary>See <see cref="BatchDriver.SettleAsync"/>.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken) => await (await _driver.Task.WaitAsync(cancellationToken)).SettleAsync(cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await PortOpen.WaitAsync(lifetime, stoppingToken);
        try
        {
            Transport transport = (await connection.OpenAsync(stoppingToken)).Transport;
            OpenAiBatches api = new(options.Precision, time);
            BatchDriver driver = new(transport, api, limits, time, logs.CreateLogger<BatchDriver>());
            _driver.SetResult(driver);
            JobListener listener = new(transport.Jobs, new InferenceJobs(transport.Store, api, time), time, logs.CreateLogger<JobListener>());
            await Task.WhenAll(driver.RunAsync(stoppingToken), Listens ? listener.RunAsync(stoppingToken) : Task.CompletedTask);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // It stopped before the queue was open.
        }
        catch (TransportException fault)
        {
            // Whoever needs the queue for more than bulk jobs ends the process.
            LogUnreachable(fault.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "No bulk jobs are driven here: {Reason}")]
    private partial void LogUnreachable(string reason);
}
