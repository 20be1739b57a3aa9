using Microsoft.Extensions.Logging;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>Repeats what the transport could not do, until it can or nobody needs it any more.</summary>
public sealed partial class TransportRetry(TimeProvider time, ILogger log)
{
    /// <param name="what">For the log: what is being tried.</param>
    /// <param name="isFinal">Whether a fault is thrown instead of trying again; null means that none is.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public async ValueTask<T> RunAsync<T>(
        string what, Func<CancellationToken, ValueTask<T>> attempt, CancellationToken cancellationToken,
        Func<TransportException, bool>? isFinal = null)
    {
        for (var failures = 1; ; failures++)
        {
            try
            {
                return await attempt(cancellationToken);
            }
            catch (TransportException fault) when (isFinal?.Invoke(fault) != true)
            {
                await PauseAsync(what, failures, fault, cancellationToken);
            }
        }
    }

    /// <summary>Logs a failed attempt and waits until the next is due.</summary>
    public async Task PauseAsync(string what, int failures, TransportException fault, CancellationToken cancellationToken)
    {
        var delay = Backoff.Transport.After(failures, Random.Shared.NextDouble());
        if (fault.IsPermanent) LogRefused(what, fault.Message);
        else LogFailed(what, failures, delay.TotalSeconds, fault.Message);
        await Task.Delay(delay, time, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not {What} (attempt {Attempt}; again in {Delay:0.0} s): {Fault}")]
    private partial void LogFailed(string what, int attempt, double delay, string fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "Could not {What}: the transport refuses, which only the operator can change: {Fault}")]
    private partial void LogRefused(string what, string fault);
}
