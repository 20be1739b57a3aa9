using Azure.Messaging.ServiceBus;
using Microsoft.Extensions.Logging;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>Queue and replies in Azure Service Bus, and objects in a store beside it. At least once: a completion whose answer is lost, or a process
/// that ends between the two steps of a delayed abandon, brings a request again; its result, which the store has, decides.</summary>
public sealed class ServiceBusTransport : Transport
{
    private readonly BusClient _bus;
    private readonly ServiceBusReplies _replies;
    private readonly QueueEntity[] _queues;

    /// <param name="store">For results and for what is too large for a message. A <see cref="BlobStore"/> is opened together with the transport; any
    /// other must be open.</param>
    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public ServiceBusTransport(ServiceBusOptions options, IObjectStore store, TimeProvider time, ILogger log)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.LargestBody, 1024, nameof(options));
        _bus = new BusClient(options, time, log);
        Store = store;
        ClaimCheck bodies = new(store, options.LargestBody);
        BrokerClock clock = new(time, options.LeaseTime, stop => _replies!.ProbeAsync(stop));
        QueueEntity Part(string name, SubQueue part) => new(_bus, name, clock, part);
        string interactive = $"{options.EntityPrefix}interactive", bulk = $"{options.EntityPrefix}bulk", replies = $"{options.EntityPrefix}replies";
        WorkerRegistrations registrations = new(store);
        ServiceBusLanes first = new(interactive, Part, registrations, time), second = new(bulk, Part, registrations, time);
        var jobs = Part(options.JobQueue, SubQueue.None);
        _queues = [first.Common.Live, second.Common.Live, jobs];
        Queue = new ServiceBusQueue(first, second, bodies, clock, WorkerId, options.LeaseTime, time);
        Jobs = new ServiceBusJobQueue(jobs);
        _replies = new ServiceBusReplies(_bus, replies, Part(replies, SubQueue.None), bodies);
        Description = $"Service Bus at {_bus.Host}, {options}";
    }

    public override string Description { get; }

    public override IRequestQueue Queue { get; }

    public override IReplyChannel Replies => _replies;

    public override IObjectStore Store { get; }

    public override IJobQueue Jobs { get; }

    /// <summary>Checks that all four queues are there and that those of requests and jobs may be sent to; they are not created. See
    /// <see cref="Transport.OpenAsync"/>.</summary>
    public override async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (Store is BlobStore blobs) await blobs.OpenAsync(cancellationToken);
        await Task.WhenAll([.. _queues.Select(queue => queue.OpenAsync(cancellationToken).AsTask()), _replies.OpenAsync(cancellationToken).AsTask()]);
    }

    public override ValueTask DisposeAsync() => _bus.DisposeAsync();
}
