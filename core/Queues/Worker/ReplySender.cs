using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Worker;

/// <summary>Sends events to the gateways: to each one message at a time, with what all requests have for it since the last. In between it waits a
/// moment, so that a stream costs few messages. What can't be sent for a while is given up, and the gateway takes it from the result. Safe for
/// several threads.</summary>
internal sealed partial class ReplySender(IReplyChannel channel, TimeProvider time, ILogger log)
{
    public static readonly TimeSpan Coalescing = TimeSpan.FromMilliseconds(30);
    public static readonly TimeSpan LongestTry = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, ReplyOutbox> _outboxes = new(StringComparer.Ordinal);
    private readonly Dictionary<ReplyOutbox, Task> _pumps = [];
    private readonly TransportRetry _retry = new(time, log);

    public void Add(ReplyStream stream, InferenceEvent inferenceEvent)
    {
        if (stream.Lease.Message.ReplyTo is not { } address || stream.Lease.IsLost) return;
        lock (_gate)
        {
            if (!_outboxes.TryGetValue(address, out var outbox)) _outboxes[address] = outbox = new ReplyOutbox();
            outbox.Add(stream, inferenceEvent);
            if (outbox.IsPumped) return;
            outbox.IsPumped = true;
            _pumps[outbox] = PumpAsync(address, outbox);
        }
    }

    /// <summary>Ends when all that has been added has been sent or given up.</summary>
    public Task FlushAsync()
    {
        lock (_gate) return Task.WhenAll(_pumps.Values);
    }

    private async Task PumpAsync(string address, ReplyOutbox outbox)
    {
        await Task.Yield(); // out of the caller's lock
        while (Take(address, outbox) is { } replies)
        {
            if (replies.Count > 0) await SendAsync(address, replies);
            var seen = outbox.Urgent.Version;
            if (!IsUrgent(outbox)) await outbox.Urgent.WaitAsync(seen, Coalescing, time, CancellationToken.None);
        }
    }

    private bool IsUrgent(ReplyOutbox outbox)
    {
        lock (_gate) return outbox.IsUrgent;
    }

    /// <summary>What is to be sent; null, and no pump any more, if nothing came.</summary>
    private IReadOnlyList<Reply>? Take(string address, ReplyOutbox outbox)
    {
        lock (_gate)
        {
            var replies = outbox.Take();
            if (replies.Count > 0) return replies;
            _outboxes.Remove(address);
            _pumps.Remove(outbox);
            return null;
        }
    }

    private async Task SendAsync(string address, IReadOnlyList<Reply> replies)
    {
        using CancellationTokenSource patience = new(LongestTry, time);
        try
        {
            await _retry.RunAsync(
                "send replies",
                async stop =>
                {
                    await channel.SendAsync(address, replies, stop);
                    return true;
                },
                patience.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            LogGivenUp(replies.Count, address);
        }
        catch (Exception fault)
        {
            // The boundary of one message: the pump goes on, or no later reply would reach this gateway.
            LogBroken(fault, replies.Count, address);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Replies of {Requests} requests to {Address} could not be sent: their results are in the store")]
    private partial void LogBroken(Exception fault, int requests, string address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Gave up replies of {Requests} requests to {Address}: their results are in the store")]
    private partial void LogGivenUp(int requests, string address);
}
