using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Queues.Sqlite;

public sealed class EmbeddedQueueTests : RequestQueueContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}

public sealed class EmbeddedRouteTests : RouteContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}

public sealed class EmbeddedReplyTests : ReplyChannelContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}

public sealed class EmbeddedStoreTests : ObjectStoreContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}

public sealed class EmbeddedJobTests : JobQueueContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}

public sealed class EmbeddedImageTests : ImageContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}
