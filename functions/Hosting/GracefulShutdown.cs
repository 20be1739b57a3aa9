using R1Serverless.Serving;

namespace R1Serverless.Hosting;

/// <summary>On the signal to stop, while the port is still open: new requests get 503 and nothing more is leased from the queue, what is in flight
/// finishes within the grace period, and what is left is cut off, or handed back to the queue. Only then do the web server and the engine
/// stop.</summary>
internal sealed partial class GracefulShutdown(ServingState serving, QueueWork work, QueueConnection connection, ServeOptions options,
    TimeProvider time, ILogger<GracefulShutdown> log) : IHostedLifecycleService
{
    // Time for cut-off answers to write their last event.
    private static readonly TimeSpan CutOffTime = TimeSpan.FromSeconds(5);

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        var drained = Task.WhenAll(serving.BeginDrain(), work.DrainAsync());
        try
        {
            await drained.WaitAsync(options.Grace, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            LogCutOff(options.Grace.TotalSeconds);
            // Whoever asked through the queue may come back for the result.
            connection.Queue?.Gateway.LeaveRunning();
            serving.AbortInFlight();
            await drained.WaitAsync(CutOffTime, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Answers still in flight after {Seconds} s of grace are cut off")]
    private partial void LogCutOff(double seconds);
}
