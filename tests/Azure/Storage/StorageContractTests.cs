using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.Storage;

[Collection(AzuriteFixture.Clock)]
public sealed class StorageQueueContractTests(AzuriteFixture azurite) : RequestQueueContract
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}

[Collection(AzuriteFixture.Clock)]
public sealed class StorageRouteContractTests(AzuriteFixture azurite) : RouteContract
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}

[Collection(AzuriteFixture.Clock)]
public sealed class StorageReplyContractTests(AzuriteFixture azurite) : ReplyChannelContract
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}

[Collection(AzuriteFixture.Clock)]
public sealed class StorageObjectContractTests(AzuriteFixture azurite) : ObjectStoreContract
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}

[Collection(AzuriteFixture.Clock)]
public sealed class StorageJobContractTests(AzuriteFixture azurite) : JobQueueContract
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}

[Collection(AzuriteFixture.Clock)]
public sealed class StorageImageContractTests(AzuriteFixture azurite) : ImageContract
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}

internal sealed class StorageFixture(AzuriteFixture azurite, StorageOptions options) : TransportFixture
{
    private readonly StorageOptions options = options with { LeaseTime = TimeSpan.FromSeconds(30), JobQueue = $"{options.QueuePrefix}jobs" };

    public override async ValueTask PassAsync(TimeSpan time) => await azurite.PassAsync(time);

    public override async ValueTask PutRawAsync(WorkClass workClass, byte[] body) =>
        await new QueueClient(options.ConnectionString,
            $"{options.QueuePrefix}{(workClass == WorkClass.Interactive ? "interactive" : "bulk")}").SendMessageAsync(Convert.ToBase64String(body));

    protected override Transport Create() => new StorageTransport(options, TimeProvider.System, NullLogger.Instance);

    protected override async ValueTask RemoveAsync()
    {
        // Azurite slows with what it holds.
        await new BlobContainerClient(options.ConnectionString, options.Container).DeleteIfExistsAsync();
        QueueServiceClient queues = new(options.ConnectionString);
        await foreach (var queue in queues.GetQueuesAsync(prefix: options.QueuePrefix)) await queues.DeleteQueueAsync(queue.Name);
    }
}
