using R1Serverless.Serving;

namespace R1Serverless.Hosting;

/// <summary>Ends the process, in every role, when what it does over the transport in the background fails: it must not go on as if it were all
/// there.</summary>
internal sealed partial class TransportWatch(QueueConnection connection, ProcessEnd end, ILogger<TransportWatch> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (await connection.TryOpenAsync(stoppingToken) is not { } queue) return;
        try
        {
            await queue.Background.WaitAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
        catch (Exception fault)
        {
            LogFailure(fault);
            end.Fail("work on the queue in the background failed; the log says why.");
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "Work on the queue in the background failed")]
    private partial void LogFailure(Exception fault);
}
