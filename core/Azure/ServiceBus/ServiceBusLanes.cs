using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>The queues of one work class: <c>{name}</c> must be there, and <c>{name}-{route}</c> may be for each route (see <see cref="RouteName"/>).
/// Requests whose route has no queue of its own go into the first, and workers that don't serve them give them back.</summary>
internal sealed class ServiceBusLanes(string name, Func<string, SubQueue, QueueEntity> part, WorkerRegistrations registrations, TimeProvider time)
{
    private static readonly TimeSpan ListEvery = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<RequestRoute, ServiceBusLane> _lanes = new();
    private long _listed;

    public ServiceBusLane Common { get; } = new("", part(name, SubQueue.None), part(name, SubQueue.DeadLetter), time);

    /// <summary>The common one where the route has none of its own.</summary>
    public ServiceBusLane Of(RequestRoute route)
    {
        if (route == RequestRoute.Any) return Common;
        var lane = _lanes.GetOrAdd(route, static (route, lanes) => lanes.Create(route), this);
        return lane.IsMissing ? Common : lane;
    }

    /// <summary>The common lane, and those of all routes that were asked for here or that workers serve, as of a moment ago.</summary>
    public async ValueTask<IReadOnlyList<ServiceBusLane>> ListAsync(CancellationToken cancellationToken)
    {
        var listed = Volatile.Read(ref _listed);
        if (listed == 0 || time.GetElapsedTime(listed) >= ListEvery)
        {
            Volatile.Write(ref _listed, time.GetTimestamp());
            foreach (var (registration, _) in await registrations.ListAsync(cancellationToken))
            {
                foreach (var route in RequestRoute.Of(registration.Models)) Of(route);
            }
        }

        return [Common, .. _lanes.Values.Where(lane => !lane.IsMissing)];
    }

    private ServiceBusLane Create(RequestRoute route)
    {
        var queue = $"{name}-{RouteName.Of(route)}";
        return new ServiceBusLane(route.Model, part(queue, SubQueue.None), part(queue, SubQueue.DeadLetter), time);
    }
}

/// <summary>One queue of requests with its dead letters.</summary>
/// <param name="model">For the operator; empty for the queue that all workers ask.</param>
internal sealed class ServiceBusLane(string model, QueueEntity live, QueueEntity dead, TimeProvider time)
{
    // So soon a queue is noticed that is created while processes run.
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(10);

    private long _missing;

    public string Model => model;

    public QueueEntity Live => live;

    public QueueEntity Dead => dead;

    /// <summary>Whether the namespace had no such queue a moment ago.</summary>
    public bool IsMissing => Volatile.Read(ref _missing) is not 0 and var at && time.GetElapsedTime(at) < LookAgain;

    /// <summary>Asks the queue for something, which is <paramref name="otherwise"/> where there is none.</summary>
    public async ValueTask<T> TryAsync<T>(Func<ValueTask<T>> call, T otherwise)
    {
        try
        {
            return await call();
        }
        catch (TransportException fault) when (model.Length > 0 && IsMissingFault(fault.InnerException))
        {
            Volatile.Write(ref _missing, time.GetTimestamp());
            return otherwise;
        }
    }

    // Who has rights on single queues only is not told whether another is there.
    private static bool IsMissingFault(Exception? fault) => fault is UnauthorizedAccessException
        or ServiceBusException { Reason: ServiceBusFailureReason.MessagingEntityNotFound };
}
