using Microsoft.Extensions.Logging;
using R1Serverless.Queues.AzureStorage;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>
/// Queue and replies in Azure Service Bus, over AMQP 1.0, and objects in a store beside it. At least once: a completion whose answer is lost, or a process that ends between the two
/// steps of a delayed abandon, brings a request again; its result, which the store has, decides.
/// </summary>
public sealed class ServiceBusTransport : Transport
{
    private readonly BusConnection _bus;
    private readonly ServiceBusQueue _queue;
    private readonly ServiceBusReplies _replies;
    private readonly QueueEntity _interactive;
    private readonly QueueEntity _bulk;
    private readonly QueueEntity _jobs;

    /// <param name="store">For results and for what is too large for a message. A <see cref="BlobStore"/> is opened together with the transport; any other must be open.</param>
    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public ServiceBusTransport(ServiceBusOptions options, IObjectStore store, TimeProvider time, ILogger log)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.LargestBody, 1024, nameof(options));
        _bus = new BusConnection(options, time, log);
        Store = store;
        string replies = $"{options.EntityPrefix}replies";
        ClaimCheck bodies = new(store, options.LargestBody);
        BrokerClock clock = new(time, options.LeaseTime, stop => ReplySession.ProbeAsync(_bus, replies, stop));
        _interactive = new QueueEntity(_bus, $"{options.EntityPrefix}interactive", options.LeaseTime);
        _bulk = new QueueEntity(_bus, $"{options.EntityPrefix}bulk", options.LeaseTime);
        _jobs = new QueueEntity(_bus, options.JobQueue, options.LeaseTime);
        Jobs = new ServiceBusJobQueue(_jobs, clock);
        _queue = new ServiceBusQueue(_interactive, _bulk, bodies, clock, options.LeaseTime, time);
        _replies = new ServiceBusReplies(_bus, options, replies, bodies, log);
        Description = $"Service Bus at {_bus.Endpoint.Host}, {options}";
    }

    public override string Description { get; }

    public override IRequestQueue Queue => _queue;

    public override IReplyChannel Replies => _replies;

    public override IObjectStore Store { get; }

    public override IJobQueue Jobs { get; }

    /// <summary>Checks that all four queues are there and that those of requests and jobs may be sent to; they are not created. See <see cref="Transport.OpenAsync"/>.</summary>
    public override async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (Store is BlobStore blobs) await blobs.OpenAsync(cancellationToken);
        await _interactive.Sender.OpenAsync(cancellationToken);
        await _bulk.Sender.OpenAsync(cancellationToken);
        await _jobs.Sender.OpenAsync(cancellationToken);
        await _replies.OpenAsync(cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        await _queue.CloseAsync();
        await _jobs.CloseAsync();
        await _bus.DisposeAsync();
    }
}
