using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>The queue <c>inference-jobs</c>, for producers that know nothing but it: each message is a job in JSON, see <c>Queues/Jobs</c>. Delivery
/// is at least once, and a job may be delivered to two processes at once: whoever handles it must do the same twice. Safe for several threads and
/// processes.</summary>
public interface IJobQueue
{
    const string Name = "inference-jobs";

    /// <summary>The property of a message that is a copy, with the id that the first had: Service Bus drops a second message of one id where it looks
    /// for duplicates.</summary>
    const string FirstIdProperty = "r1-job";

    /// <summary>Puts a job at the end of the queue, as a producer does.</summary>
    /// <exception cref="TransportException">The transport can't be reached.</exception>
    ValueTask EnqueueAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>The next job, waiting for up to <paramref name="patience"/>; null if none came.</summary>
    /// <exception cref="TransportException">The transport can't be reached.</exception>
    ValueTask<JobLease?> LeaseAsync(TimeSpan patience, CancellationToken cancellationToken);

    /// <summary>Puts a job aside, with the reason, that somebody else has taken from the queue: a trigger, which ends its delivery afterwards. Twice
    /// does no harm.</summary>
    /// <param name="id">Of the message.</param>
    /// <exception cref="TransportException">The transport can't be reached.</exception>
    /// <exception cref="NotSupportedException">No trigger drains this queue: workers do, by <see cref="LeaseAsync"/>.</exception>
    ValueTask PutAsideAsync(string id, ReadOnlyMemory<byte> message, string reason, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Workers drain this queue, not a trigger.");
}

/// <summary>A job taken from the queue. Unless one of the endings is asked for it is delivered again. Every ending may throw
/// <see cref="TransportException"/>.</summary>
/// <param name="id">The same at each delivery.</param>
/// <param name="deliveries">This time included.</param>
public abstract class JobLease(string id, ReadOnlyMemory<byte> message, int deliveries)
{
    public string Id { get; } = id;

    public ReadOnlyMemory<byte> Message { get; } = message;

    public int Deliveries { get; } = deliveries;

    /// <summary>The job is on its way; its message leaves the queue.</summary>
    public abstract ValueTask CompleteAsync(CancellationToken cancellationToken);

    /// <summary>Gives the job back, to be delivered again after <paramref name="delay"/>.</summary>
    public abstract ValueTask AbandonAsync(TimeSpan delay, CancellationToken cancellationToken);

    /// <summary>Puts the message aside, with the reason.</summary>
    public abstract ValueTask DeadLetterAsync(string reason, CancellationToken cancellationToken);
}
