using R1Serverless.Batches;
using R1Serverless.Batches.Jobs;
using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>Drives bulk jobs and listens for new ones, in every role: the work itself is done by whoever drains the queue.</summary>
internal sealed partial class BulkWork(
    QueueConnection connection, ServeOptions options, BatchLimits limits, TimeProvider time, IHostApplicationLifetime lifetime, ILoggerFactory logs, ILogger<BulkWork> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await PortOpen.WaitAsync(lifetime, stoppingToken);
        try
        {
            Transport transport = (await connection.OpenAsync(stoppingToken)).Transport;
            OpenAiBatches api = new(options.Precision, time);
            BatchDriver driver = new(transport, api, limits, time, logs.CreateLogger<BatchDriver>());
            InferenceJobs jobs = new(transport.Store, api, time);
            await Task.WhenAll(
                driver.RunAsync(stoppingToken),
                new JobListener(transport.Jobs, jobs, time, logs.CreateLogger<JobListener>()).RunAsync(stoppingToken));
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
