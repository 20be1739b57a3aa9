using System.Collections.Concurrent;
using Azure.Storage.Queues.Models;
using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>The queues of one work class: <c>{name}</c> for what any worker may take, <c>{name}-{route}</c> for each route (see
/// <see cref="RouteName"/>), created when its first request is enqueued or its first worker comes, and <c>{name}-dead</c>.</summary>
internal sealed partial class StorageLanes
{
    private static readonly TimeSpan ListEvery = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, StorageLane> _lanes = new(StringComparer.Ordinal);
    private readonly StorageClients _clients;
    private readonly string _name;
    private readonly ClaimCheck _claims;
    private readonly TimeProvider _time;
    private readonly ILogger log;
    private long _listed;

    public StorageLanes(StorageClients clients, string name, ClaimCheck claims, TimeProvider time, ILogger log)
    {
        (_clients, _name, _claims, _time, this.log) = (clients, name, claims, time, log);
        Dead = new StorageDeadLetters(Queue($"{name}-{RouteName.Dead}"), claims, queue => Named(queue ?? name));
        Common = Named(name);
    }

    /// <summary>What any worker may take.</summary>
    public StorageLane Common { get; }

    public StorageDeadLetters Dead { get; }

    /// <summary>Set when something has come to a lane.</summary>
    public AsyncSignal News { get; } = new();

    public async ValueTask OpenAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(Common.CreateAsync(cancellationToken).AsTask(), Dead.CreateAsync(cancellationToken).AsTask());

    public StorageLane Of(RequestRoute route) => route == RequestRoute.Any ? Common
        : _lanes.GetOrAdd($"{_name}-{RouteName.Of(route)}", name => Create(name, route, route.Model));

    /// <summary>All that are there, as of a moment ago.</summary>
    public async ValueTask<IReadOnlyList<StorageLane>> ListAsync(CancellationToken cancellationToken)
    {
        var listed = Volatile.Read(ref _listed);
        if (listed == 0 || _time.GetElapsedTime(listed) >= ListEvery)
        {
            Volatile.Write(ref _listed, _time.GetTimestamp());
            try
            {
                await foreach (var queue in _clients.Queues.GetQueuesAsync(QueueTraits.Metadata, $"{_name}-", cancellationToken))
                {
                    if (queue.Name != Dead.Name) Named(queue.Name, queue.Metadata);
                }
            }
            catch (Exception fault) when (fault is TransportException || _clients.QueueService.Knows(fault, cancellationToken))
            {
                // An identity may be allowed its queues and no list of all.
                LogUnlisted(_name, (fault as TransportException ?? _clients.QueueService.Explain(fault)).Message);
            }
        }

        return [.. _lanes.Values];
    }

    /// <summary>A lane by its queue's name; the common one where that is none of the class's.</summary>
    private StorageLane Named(string queue, IDictionary<string, string>? marks = null)
    {
        if (queue == _name) return _lanes.GetOrAdd(queue, name => Create(name, RequestRoute.Any, ""));
        if (!queue.StartsWith($"{_name}-", StringComparison.Ordinal) || queue == Dead.Name) return Common;
        return _lanes.GetOrAdd(queue, name => Create(
            name, route: null,
            marks?.TryGetValue(StorageLane.ModelMark, out var model) == true ? Uri.UnescapeDataString(model) : name[(_name.Length + 1)..]));
    }

    private StorageLane Create(string name, RequestRoute? route, string model) => new(Queue(name), route, model, Dead, News, _claims, _time, log);

    private MessageQueue Queue(string name) => new(_clients.Queues, _clients.QueueService, name);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The queues {Name}-* could not be listed, and those of other processes are not counted: {Reason}")]
    private partial void LogUnlisted(string name, string reason);
}
