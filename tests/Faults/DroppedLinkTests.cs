using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Tests.Azure.ServiceBus;

namespace R1Serverless.Tests.Faults;

/// <summary>A Service Bus namespace drops links and connections while requests run.</summary>
public sealed class DroppedLinkTests(ITestOutputHelper output)
{
    private const int Streams = 6, Lines = 12, Words = 8;

    [Fact]
    public async Task Requests_end_once_whichever_links_the_broker_drops_while_they_run()
    {
        await using ServiceBusFixture fixture = new();
        await using FaultWorld world = new();
        var gate = await fixture.ConnectAsync();
        var gateway = world.Gate(gate, TimeProvider.System);
        GatedEngine engine = new(TimeProvider.System) { IsGated = true };
        world.Work(await fixture.ConnectAsync(), engine, TimeProvider.System);
        Task<string>[] streams = [.. Enumerable.Range(0, Streams).Select(i => FaultWorld.TextAsync(gateway, FaultWorld.Ask($"s{i}", Words)))];
        await gate.Queue.EnqueueAsync(
            [.. Enumerable.Range(0, Lines).Select(i => new QueuedRequest { Request = FaultWorld.Ask($"b{i}", Words), Class = WorkClass.Bulk })],
            FaultWorld.Cancelled);
        await FaultWorld.UntilAsync(() => engine.Held.Count == Streams + Lines);

        var links = 0;
        foreach (var queue in (string[])["r1-interactive", "r1-bulk", "r1-replies"]) links += await fixture.Broker.DropLinksAsync(queue);
        var connections = await fixture.Broker.DropConnectionsAsync();
        Assert.True(links > 0 && connections > 0, $"{links} links, {connections} connections");
        engine.Open();

        ResultStore results = new(gate.Store);
        foreach (var id in Enumerable.Range(0, Streams).Select(i => $"s{i}").Concat(Enumerable.Range(0, Lines).Select(i => $"b{i}")))
        {
            await FaultWorld.UntilAsync(async () => await results.ExistsAsync(new RequestId(id), FaultWorld.Cancelled));
            Assert.Equal(GatedEngine.Text(Words), (await results.FindAsync(new RequestId(id), FaultWorld.Cancelled))!.Choices.Single().AllText());
        }

        Assert.All(await Task.WhenAll(streams).WaitAsync(FaultWorld.Patience, FaultWorld.Cancelled),
            text => Assert.Equal(GatedEngine.Text(Words), text));
        // Messages whose locks went with their links come again, and find their results.
        await fixture.PassAsync(ServiceBusFixture.LockTime + TimeSpan.FromSeconds(1));
        var found = await FaultWorld.ResultsAsync(gate, Streams + Lines);
        var dead = await FaultWorld.DeadLettersAsync(gate);
        Assert.Equal((Streams + Lines, 0L), (found, dead));
        output.WriteLine(
            $"{links} links and {connections} connections dropped: requests in {Streams + Lines}, results out {found}, duplicates 0, dead letters "
            + $"{dead}; runs {engine.Started.Count}");
    }
}
