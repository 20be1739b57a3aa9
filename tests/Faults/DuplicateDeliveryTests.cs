using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Tests.Azure.ServiceBus;
using R1Serverless.Tests.Azure.Storage;
using R1Serverless.Tests.Queues.Contract;
using R1Serverless.Tests.Queues.Sqlite;

namespace R1Serverless.Tests.Faults;

/// <summary>The same request delivered twice: one result, told once.</summary>
public abstract class DuplicateDeliveryTests(ITestOutputHelper output)
{
    private const int Requests = 12, Words = 6;

    [Fact]
    public async Task Messages_enqueued_twice_have_one_result_each_told_once()
    {
        await using var fixture = await CreateFixtureAsync();
        await using FaultWorld world = new();
        var gate = await fixture.ConnectAsync();
        var gateway = world.Gate(gate, TimeProvider.System);
        Task<string>[] streams = [.. Enumerable.Range(0, Requests).Select(i => FaultWorld.TextAsync(gateway, FaultWorld.Ask($"s{i}", Words)))];
        // Every message once more: those of the streams, too, with the same reply address.
        await FaultWorld.UntilAsync(async () => (await gate.Queue.StatisticsAsync(WorkClass.Interactive, FaultWorld.Cancelled)).Waiting >= Requests);
        await gate.Queue.EnqueueAsync([.. Enumerable.Range(0, Requests).Select(i => Message($"s{i}", WorkClass.Interactive, gate.Replies.Address))],
            FaultWorld.Cancelled);
        for (var twice = 0; twice < 2; twice++)
            await gate.Queue.EnqueueAsync([.. Enumerable.Range(0, Requests).Select(i => Message($"b{i}", WorkClass.Bulk, null))],
                FaultWorld.Cancelled);
        GatedEngine one = new(TimeProvider.System), other = new(TimeProvider.System);
        world.Work(await fixture.ConnectAsync(), one, TimeProvider.System);
        world.Work(await fixture.ConnectAsync(), other, TimeProvider.System);

        var texts = await Task.WhenAll(streams).WaitAsync(FaultWorld.Patience, FaultWorld.Cancelled);
        Assert.All(texts, text => Assert.Equal(GatedEngine.Text(Words), text));
        await ReportAsync(gate, messages: 4 * Requests, results: 2 * Requests, one.Started.Count + other.Started.Count);
    }

    [Fact]
    public async Task A_lease_that_ends_while_its_worker_still_runs_has_one_effect()
    {
        await using var fixture = await CreateFixtureAsync();
        var watch = await fixture.ConnectAsync();
        await using FaultWorld world = new();
        // The slow worker holds its answer, and its lease ends meanwhile.
        GatedEngine slow = new(TimeProvider.System, "slow") { IsGated = true }, quick = new(TimeProvider.System, "quick");
        CutOffTransport slowTransport = new(await fixture.ConnectAsync());
        world.Work(slowTransport, slow, TimeProvider.System);
        RequestId id = new("a");
        await watch.Queue.EnqueueAsync([Message("a", WorkClass.Bulk, null)], FaultWorld.Cancelled);
        await FaultWorld.UntilAsync(() => slow.Held.ContainsKey(id));
        var quickTransport = await fixture.ConnectAsync();
        await fixture.PassAsync(slowTransport.Queue.LeaseTime + TimeSpan.FromSeconds(1));
        world.Work(quickTransport, quick, TimeProvider.System);
        ResultStore results = new(watch.Store);
        await FaultWorld.UntilAsync(async () => await results.ExistsAsync(id, FaultWorld.Cancelled));
        slow.Open();

        await FaultWorld.ResultsAsync(watch, 1);
        var result = (await results.FindAsync(id, FaultWorld.Cancelled))!;
        Assert.Equal(GatedEngine.Text(Words, "quick"), result.Choices.Single().AllText());
        await ReportAsync(watch, messages: 1, results: 1, slow.Started.Count + quick.Started.Count);
    }

    protected abstract ValueTask<TransportFixture> CreateFixtureAsync();

    private static QueuedRequest Message(string id, WorkClass workClass, string? replyTo) =>
        new() { Request = FaultWorld.Ask(id, Words), Class = workClass, ReplyTo = replyTo };

    private async Task ReportAsync(Transport transport, int messages, int results, int runs)
    {
        var found = await FaultWorld.ResultsAsync(transport, results);
        var dead = await FaultWorld.DeadLettersAsync(transport);
        Assert.Equal((results, 0L), (found, dead));
        output.WriteLine($"{transport.Description}: messages in {messages}, results out {found}, duplicates 0, dead letters {dead}; runs {runs}");
    }
}

public sealed class EmbeddedDuplicateTests(ITestOutputHelper output) : DuplicateDeliveryTests(output)
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new EmbeddedFixture());
}

public sealed class ServiceBusDuplicateTests(ITestOutputHelper output) : DuplicateDeliveryTests(output)
{
    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());
}

[Collection(AzuriteFixture.Clock)]
public sealed class StorageDuplicateTests(ITestOutputHelper output, AzuriteFixture azurite) : DuplicateDeliveryTests(output)
{
    protected override async ValueTask<TransportFixture> CreateFixtureAsync() => new StorageFixture(azurite, await azurite.OptionsAsync());
}
