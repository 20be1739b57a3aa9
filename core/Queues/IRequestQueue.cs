using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>The durable queues between gateways and workers, one per <see cref="WorkClass"/>. Delivery is at least once: a lease that is neither
/// completed nor renewed ends, and the request is delivered again. All times are the queue's own clock's, so that processes need not agree on the
/// time. Every method may throw <see cref="TransportException"/> when the transport can't be reached; nothing is lost by it, and the caller tries
/// again. Safe for several threads and processes.</summary>
public interface IRequestQueue
{
    /// <summary>Puts requests at the end of their queues. They are durable when the task completes; if it fails, some of them may be in the
    /// queue.</summary>
    ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken);

    /// <summary>Leases up to <paramref name="most"/> requests of the routes, or of <see cref="RequestRoute.Any"/>, for <see cref="LeaseTime"/>. Waits
    /// for the first for up to <paramref name="patience"/>, then takes what is there; empty if nothing came. Messages that can't be read are
    /// dead-lettered on the way, with the reason.</summary>
    ValueTask<IReadOnlyList<Lease>> LeaseAsync(
        WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, TimeSpan patience, CancellationToken cancellationToken);

    /// <summary>How long a lease lasts unless renewed: renew after a third of it.</summary>
    TimeSpan LeaseTime { get; }

    ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken);

    /// <summary>Looks at the oldest waiting requests without leasing them.</summary>
    ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken);

    ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken);

    /// <summary>Puts up to <paramref name="most"/> dead letters back into the queue with a fresh delivery count; returns how many. Those that can't
    /// be read stay.</summary>
    ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken);
}

/// <summary>Ownership of one queued request for a while. Each ending may be asked for once; all of them return false, and change nothing, if the
/// lease has been lost, which means that the request may already run elsewhere.</summary>
public abstract class Lease(QueuedRequest message, int dequeueCount, TimeSpan age)
{
    public QueuedRequest Message { get; } = message;

    /// <summary>How often the request has been delivered, this time included: from 1.</summary>
    public int DequeueCount { get; } = dequeueCount;

    /// <summary>How long ago it was enqueued when it was leased, by the queue's clock.</summary>
    public TimeSpan Age { get; } = age;

    /// <summary>The stamp, of this process's time, from which the lease counts; null where it was handed over as soon as it began.</summary>
    public long? Since { get; init; }

    /// <summary>Whether the request had a result when it was leased; null where the queue doesn't know, and the store has to be asked.</summary>
    public virtual bool? HasResult => null;

    public abstract ValueTask<bool> RenewAsync(CancellationToken cancellationToken);

    /// <summary>The request has ended; it leaves the queue.</summary>
    public abstract ValueTask<bool> CompleteAsync(CancellationToken cancellationToken);

    /// <summary>Both in one: writes the request's result unless it has one, and completes. Null, and nothing done, where queue and store don't share
    /// a transaction.</summary>
    public virtual ValueTask<Completion?> CompleteAsync(InferenceResult result, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Completion?>(null);

    /// <summary>Gives the request back, to be delivered again after <paramref name="delay"/>.</summary>
    public abstract ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken);

    /// <summary>Puts the request aside for the operator.</summary>
    public abstract ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken);
}

/// <param name="IsFirst">Whether the result was written: there was none before.</param>
/// <param name="IsOurs">Whether the lease had not been lost.</param>
public readonly record struct Completion(bool IsFirst, bool IsOurs);

/// <param name="Waiting">Requests that nobody has leased; an estimate where the service gives no better.</param>
/// <param name="Leased">Null where the service does not tell.</param>
/// <param name="DeadLetters">Requests put aside.</param>
/// <param name="OldestAge">How long the oldest waiting request has waited; null where none waits.</param>
public sealed record QueueStatistics(long Waiting, long? Leased, long DeadLetters, TimeSpan? OldestAge)
{
    /// <summary>The same by model, of those that have requests; empty where the service does not tell models apart.</summary>
    public IReadOnlyList<ModelStatistics> Models { get; init; } = [];

    /// <param name="models">Of one queue.</param>
    public static QueueStatistics Of(IReadOnlyList<ModelStatistics> models, long deadLetters) =>
        new(models.Sum(model => model.Waiting), models.Any(model => model.Leased is null) ? null : models.Sum(model => model.Leased),
            deadLetters, models.Max(model => model.OldestAge))
        { Models = models };
}

/// <param name="Model">Empty for requests that any worker may take.</param>
/// <param name="Waiting">As in <see cref="QueueStatistics"/>, and so are the others.</param>
public sealed record ModelStatistics(string Model, long Waiting, long? Leased, TimeSpan? OldestAge);

/// <summary>A waiting request as an operator sees it. Prompts are not shown.</summary>
/// <param name="RequestId">Null where the message can't be read.</param>
public sealed record QueuedMessage(string? RequestId, string? Model, string? Batch, int DequeueCount, TimeSpan Age)
{
    /// <param name="request">Null where the message can't be read.</param>
    public static QueuedMessage Of(QueuedRequest? request, int dequeueCount, TimeSpan age) =>
        new(request?.Request.Id.Value, request?.Request.Model, request?.Batch, dequeueCount, age);
}

/// <param name="RequestId">Null where the message can't be read.</param>
public sealed record DeadLetter(string? RequestId, string Reason, int DequeueCount, TimeSpan Age);
