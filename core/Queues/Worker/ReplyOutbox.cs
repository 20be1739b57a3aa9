using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;

namespace R1Serverless.Queues.Worker;

/// <summary>Events on their way to one gateway, until the next message to it. Not safe for several threads.</summary>
internal sealed class ReplyOutbox
{
    private const int LongestText = 1024;

    private readonly List<PendingReply> _pending = [];

    /// <summary>Whether a pump is at work on this outbox.</summary>
    public bool IsPumped { get; set; }

    /// <summary>Set when something has come that should not wait.</summary>
    public AsyncSignal Urgent { get; } = new();

    public bool IsUrgent { get; private set; }

    public void Add(ReplyStream stream, InferenceEvent inferenceEvent)
    {
        if (stream.Pending is not { } pending)
        {
            stream.Pending = pending = new PendingReply(stream);
            _pending.Add(pending);
        }

        if (!TryMerge(pending.Events, inferenceEvent)) pending.Events.Add(inferenceEvent);
        if (!stream.IsUrgent(inferenceEvent) || IsUrgent) return;
        IsUrgent = true;
        Urgent.Set();
    }

    /// <summary>What has come since, numbered; nothing of requests whose lease was lost.</summary>
    public IReadOnlyList<Reply> Take()
    {
        List<Reply> replies = new(_pending.Count);
        foreach (var pending in _pending)
        {
            var stream = pending.Stream;
            stream.Pending = null;
            if (!stream.Lease.IsLost)
                replies.Add(new Reply(stream.Lease.Id, stream.Lease.Delivery, stream.Sent, pending.Events)
                {
                    Run = stream.Run, Worker = stream.Sent == 0 ? stream.Worker : null,
                });
            stream.Sent += pending.Events.Count;
        }

        _pending.Clear();
        IsUrgent = false;
        return replies;
    }

    /// <summary>Text that follows text of its kind is one event: numbers are given when a message leaves.</summary>
    private static bool TryMerge(List<InferenceEvent> events, InferenceEvent inferenceEvent)
    {
        if (inferenceEvent is not InferenceEvent.Delta next || events is not [.., InferenceEvent.Delta last]) return false;
        if (last.Choice != next.Choice || last.Kind != next.Kind || last.Text.Length + next.Text.Length > LongestText) return false;
        events[^1] =
            last with
            {
                Text = last.Text + next.Text,
                Logprobs = (last.Logprobs, next.Logprobs) is ({ } a, { } b) ? [.. a, .. b] : last.Logprobs ?? next.Logprobs
            };
        return true;
    }
}

internal sealed record PendingReply(ReplyStream Stream)
{
    public List<InferenceEvent> Events { get; } = [];
}

/// <summary>The replies of one delivery of a request.</summary>
/// <param name="worker">Who runs it; null where nobody needs to know.</param>
internal sealed class ReplyStream(HeldLease lease, string? worker)
{
    private bool _hasText;

    public HeldLease Lease { get; } = lease;

    public string? Worker => worker;

    public long Run { get; } = Random.Shared.NextInt64();

    /// <summary>Events that have left, or were given up.</summary>
    public long Sent { get; set; }

    public PendingReply? Pending { get; set; }

    /// <summary>The first event, the first text and the end should reach the client at once.</summary>
    public bool IsUrgent(InferenceEvent inferenceEvent)
    {
        var isFirstText = inferenceEvent is InferenceEvent.Delta && !_hasText;
        _hasText |= isFirstText;
        return isFirstText || inferenceEvent is InferenceEvent.Finished or InferenceEvent.Failed || (Sent == 0 && Pending is { Events.Count: 1 });
    }
}
