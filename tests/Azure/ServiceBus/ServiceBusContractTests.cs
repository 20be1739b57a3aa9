using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.ServiceBus;

public sealed class ServiceBusQueueTests : RequestQueueContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());
}

public sealed class ServiceBusRouteTests : RouteContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() =>
        ValueTask.FromResult<TransportFixture>(ServiceBusFixture.WithRoutes(Routes));
}

public sealed class ServiceBusReplyTests : ReplyChannelContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());
}

public sealed class ServiceBusJobTests : JobQueueContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());
}

public sealed class ServiceBusImageTests : ImageContract
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());
}
