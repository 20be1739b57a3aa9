using Microsoft.Extensions.Logging;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>One storage account as the transport. Queues <c>{prefix}interactive</c> and <c>{prefix}bulk</c>, each with one for each route and
/// <c>…-dead</c> beside it (see <see cref="StorageLanes"/>), and <c>{prefix}replies-{address}</c> for each instance; the queue of jobs with
/// <c>…-poison</c> beside it; one container.</summary>
public sealed class StorageTransport : Transport
{
    private readonly BlobStore store;
    private readonly StorageRequestQueue queue;
    private readonly StorageReplyChannel replies;
    private readonly StorageJobQueue jobs;

    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public StorageTransport(StorageOptions options, TimeProvider time, ILogger log)
    {
        StorageClients clients = new(options);
        store = new BlobStore(clients);
        ClaimCheck claims = new(store, MessageQueue.MaxBytes);
        replies = new StorageReplyChannel(clients, $"{options.QueuePrefix}replies-", claims, time, log);
        queue = new StorageRequestQueue(Lanes("interactive"), Lanes("bulk"), replies, claims, options.LeaseTime, time);
        jobs = new StorageJobQueue(clients, options.JobQueue, time);
        Description = $"Azure Storage at {clients.QueueService.Host}, {options}";

        StorageLanes Lanes(string name) => new(clients, $"{options.QueuePrefix}{name}", claims, time, log);
    }

    public override string Description { get; }

    public override IRequestQueue Queue => queue;

    public override IReplyChannel Replies => replies;

    public override IObjectStore Store => store;

    public override IJobQueue Jobs => jobs;

    public override async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(store.OpenAsync(cancellationToken).AsTask(), queue.OpenAsync(cancellationToken).AsTask(),
            replies.OpenAsync(cancellationToken).AsTask(), jobs.OpenAsync(cancellationToken));
    }

    public override ValueTask DisposeAsync() => replies.DisposeAsync();
}
