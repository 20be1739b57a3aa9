using System.Security.Cryptography;
using R1Serverless.Storage;

namespace R1Serverless.Auth;

/// <summary>Takes over what changes in the key source, without a restart. A version that can't be read or used changes nothing: the keys before it go
/// on.</summary>
/// <param name="report">Told of each version that counts.</param>
internal sealed partial class KeyRefresh(ActiveKeys current, KeySource source, IProgress<string> report, TimeProvider time, ILogger<KeyRefresh> log)
    : BackgroundService
{
    // Until the first keys have come, clients wait.
    private static readonly TimeSpan FirstInterval = TimeSpan.FromSeconds(1);

    private byte[]? _seen;
    private string? _complaint;

    /// <summary>Looks once.</summary>
    public async ValueTask LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            var content = await source.ReadAsync(cancellationToken) ?? throw new KeySourceException("there is nothing");
            var version = SHA256.HashData(content.Span);
            if (_seen.AsSpan().SequenceEqual(version)) return;
            var keys = KeyFileFormat.Read(content);
            _seen = version;
            _complaint = null;
            current.Set(keys);
            report.Report(keys.Count == 1 ? $"Keys: 1 from {source.Description}" : $"Keys: {keys.Count} from {source.Description}");
        }
        catch (Exception fault) when (fault is InvalidKeysException or KeySourceException)
        {
            // Said once, not at every look. What was seen before may come back.
            if (_complaint == fault.Message) return;
            _complaint = fault.Message;
            _seen = null;
            LogUnusable(source.Description, fault.Message, current.Ring.Keys.Count);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Reaching a vault may take a while, and the port is opened first.
        await Task.Yield();
        try
        {
            while (true)
            {
                await LookAsync(stoppingToken);
                await Task.Delay(current.Loaded.IsCompleted ? source.Interval : FirstInterval, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The keys in {Source} can't be used, the {Count} known before go on: {Reason}")]
    private partial void LogUnusable(string source, string reason, int count);
}
