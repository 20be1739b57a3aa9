using Microsoft.Extensions.Logging;

namespace R1Serverless.Tests.Faults;

/// <summary>Tells when a worker has noticed that a result can't be written.</summary>
internal sealed class FailureLog : ILogger
{
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Failed => _failed.Task;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (formatter(state, exception).StartsWith("Could not write a result", StringComparison.Ordinal)) _failed.TrySetResult();
    }
}
