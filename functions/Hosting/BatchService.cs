using R1Serverless.Abstractions.Threading;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Batches;
using R1Serverless.Queues.Jobs;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Hosting;

/// <summary>Drives bulk jobs, in every role, and takes new ones from their queue where that falls to this process: the work itself is done by whoever
/// drains the request queue.</summary>
internal sealed partial class BatchService(
    QueueConnection connection, ServeOptions options, BatchLimits limits, TimeProvider time, IHostApplicationLifetime lifetime, ILoggerFactory logs,
    ILogger<BatchService> log)
    : BackgroundService
{
    private readonly TaskCompletionSource<BatchDriver> _driver = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether this process takes jobs from their queue. A folder has no trigger: every process does. In Azure Storage the Functions host's
    /// trigger does, which sees messages also where a process has to be started for them, so that nobody behind the host does; outside it every
    /// process does. In Service Bus the workers do, which are started for its messages.</summary>
    internal static bool Listens(ServeOptions options) => options.Transport.Kind switch
    {
        TransportKind.Storage => !options.IsBehindHost,
        TransportKind.ServiceBus => options.Role != ServeRole.Gateway,
        _ => true,
    };

    /// <summary>See <see cref="BatchDriver.SettleAsync"/>.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken) =>
        await (await _driver.Task.WaitAsync(cancellationToken)).SettleAsync(cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await PortOpened.WaitAsync(lifetime, stoppingToken);
        try
        {
            var queue = await connection.OpenAsync(stoppingToken);
            var transport = queue.Transport;
            OpenAiBatches api = new(options.Precision, time);
            BatchDriver driver = new(transport, api, limits, time, logs.CreateLogger<BatchDriver>(), queue.Workers);
            _driver.SetResult(driver);
            InferenceJobs jobs = new(transport.Store, api, time, logs.CreateLogger<InferenceJobs>());
            JobListener listener = new(transport.Jobs, jobs, time, logs.CreateLogger<JobListener>());
            await BackgroundWork.RunAsync(stoppingToken, driver.RunAsync, stop => Listens(options) ? listener.RunAsync(stop) : Task.CompletedTask);
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
