using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Webhooks;

/// <summary>What became of a try.</summary>
public enum WebhookOutcome
{
    Delivered,

    /// <summary>It may succeed later.</summary>
    Failed,

    /// <summary>It is refused for good.</summary>
    Refused,
}

/// <summary>Calls a client.</summary>
public delegate Task<WebhookOutcome> WebhookSend(WebhookDelivery delivery, InferenceResult result, CancellationToken cancellationToken);

/// <summary>Makes the calls that are owed, whoever owed them: at least once each, and by one deliverer at a time. A deliverer that dies in a try is
/// followed by another after <see cref="ClaimTime"/>, by the store's clock.</summary>
/// <param name="send">Must end within half of <see cref="ClaimTime"/>; must not throw but for the token.</param>
public sealed partial class WebhookDeliverer(IObjectStore store, WebhookSend send, TimeProvider time, ILogger log)
{
    /// <summary>A try that lasts longer is taken for dead.</summary>
    public static readonly TimeSpan ClaimTime = TimeSpan.FromSeconds(40);

    /// <summary>Then a call is given up.</summary>
    public const int MaxTries = 8;

    private const int MaxAtOnce = 32;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly string _name = Guid.NewGuid().ToString("N");
    private readonly WebhookDeliveries _deliveries = new(store);
    private readonly ResultStore _results = new(store);
    private readonly SemaphoreSlim _turns = new(MaxAtOnce, MaxAtOnce);
    private readonly ConcurrentDictionary<string, long> _notBefore = new(StringComparer.Ordinal);

    /// <summary>Until cancelled. Faults of the transport are waited out.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => BackgroundWork.RepeatAsync(
        Period, time,
        async stop =>
        {
            try
            {
                await SweepAsync(stop);
            }
            catch (TransportException fault)
            {
                LogUnreachable(fault.Message);
            }
        },
        cancellationToken);

    /// <summary>Tries once whatever is due.</summary>
    internal async Task SweepAsync(CancellationToken cancellationToken)
    {
        var owed = await _deliveries.ListAsync(cancellationToken);
        HashSet<string> there = [.. owed.Select(one => one.Id)];
        foreach (var gone in _notBefore.Keys.Where(id => !there.Contains(id))) _notBefore.TryRemove(gone, out _);
        var now = time.GetTimestamp();
        await Task.WhenAll(
            owed.Where(one => !_notBefore.TryGetValue(one.Id, out var at) || at <= now)
            .Select(one => HandleInTurnAsync(one.Id, one.Age, cancellationToken)));
    }

    private async Task HandleInTurnAsync(string id, TimeSpan age, CancellationToken cancellationToken)
    {
        using var turn = await _turns.EnterAsync(cancellationToken);
        await HandleAsync(id, age, cancellationToken);
    }

    private async ValueTask HandleAsync(string id, TimeSpan age, CancellationToken cancellationToken)
    {
        if (await FindResultAsync(id, cancellationToken) is not { } result)
        {
            // What has run long is looked at less often.
            Pause(id, age / 10 < LongestPause ? age / 10 : LongestPause);
            return;
        }

        if (await _deliveries.FindAsync(id, cancellationToken) is not { } found) return;
        (var delivery, var tag) = found;
        var wait = (delivery.Deliverer is null ? TimeSpan.FromSeconds(delivery.Wait) : ClaimTime) - age;
        if (wait > TimeSpan.Zero) Pause(id, wait < LongestPause ? wait : LongestPause);
        else if (await _deliveries.TryPutAsync(delivery with { Deliverer = _name }, tag, cancellationToken) is { } mine)
            await TryAsync(delivery, mine, result, cancellationToken);
    }

    private async ValueTask<InferenceResult?> FindResultAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return await _results.FindAsync(new RequestId(id), cancellationToken);
        }
        catch (MalformedMessageException fault)
        {
            LogUnreadable(id, fault.Message);
            return null;
        }
    }

    private async Task TryAsync(WebhookDelivery delivery, string tag, InferenceResult result, CancellationToken cancellationToken)
    {
        var outcome = await send(delivery, result, cancellationToken);
        var tries = delivery.Tries + 1;
        if (outcome == WebhookOutcome.Failed && tries < MaxTries)
        {
            var wait = Backoff.Webhook.After(tries, Random.Shared.NextDouble());
            await _deliveries.TryPutAsync(delivery with { Tries = tries, Wait = wait.TotalSeconds, Deliverer = null }, tag, cancellationToken);
            return;
        }

        if (outcome != WebhookOutcome.Delivered) LogGivenUp(delivery.Id, tries);
        await _deliveries.RemoveAsync(delivery.Id, cancellationToken);
    }

    private void Pause(string id, TimeSpan pause) => _notBefore[id] = time.GetTimestamp() + (long)(pause.TotalSeconds * time.TimestampFrequency);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not look for webhooks to call: {Fault}")]
    private partial void LogUnreachable(string fault);

    [LoggerMessage(Level = LogLevel.Error, Message = "The result of request {RequestId}, owed to a webhook, is left to others: {Fault}")]
    private partial void LogUnreadable(string requestId, string fault);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The webhook of request {RequestId} was given up after {Tries} tries; the result is in the store")]
    private partial void LogGivenUp(string requestId, int tries);
}
