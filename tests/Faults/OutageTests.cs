using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Tests.Azure.Storage;

namespace R1Serverless.Tests.Faults;

/// <summary>The transport is gone while requests run, and comes back.</summary>
public abstract class OutageTests(ITestOutputHelper output)
{
    private const int Streams = 6, Lines = 12, Words = 8;

    private static readonly TimeSpan Away = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task What_runs_while_the_transport_is_away_for_ten_seconds_ends_once_it_is_back()
    {
        try
        {
            await using FaultWorld world = new();
            var gate = await OpenAsync();
            var gateway = world.Gate(gate, TimeProvider.System);
            FailureLog log = new();
            GatedEngine engine = new(TimeProvider.System) { IsGated = true };
            world.Work(await OpenAsync(), engine, TimeProvider.System, log);
            Task<string>[] streams = [.. Enumerable.Range(0, Streams).Select(i => FaultWorld.TextAsync(gateway, FaultWorld.Ask($"s{i}", Words)))];
            await gate.Queue.EnqueueAsync(
                [.. Enumerable.Range(0, Lines).Select(i => new QueuedRequest { Request = FaultWorld.Ask($"b{i}", Words), Class = WorkClass.Bulk })],
                FaultWorld.Cancelled);
            await FaultWorld.UntilAsync(() => engine.Held.Count == Streams + Lines);

            await BreakAsync();
            var began = TimeProvider.System.GetTimestamp();
            // All end now, and none of their results can be written.
            engine.Open();
            await log.Failed.WaitAsync(FaultWorld.Patience, FaultWorld.Cancelled);
            var looks = 0;
            await FaultWorld.UntilAsync(() =>
            {
                looks++;
                Assert.DoesNotContain(streams, stream => stream.IsCompleted);
                return TimeProvider.System.GetElapsedTime(began) >= Away;
            });
            Assert.Equal(Streams + Lines, engine.Started.Count);
            await MendAsync();
            var away = TimeProvider.System.GetElapsedTime(began);

            var texts = await Task.WhenAll(streams).WaitAsync(FaultWorld.Patience, FaultWorld.Cancelled);
            Assert.All(texts, text => Assert.Equal(GatedEngine.Text(Words), text));
            var found = await FaultWorld.ResultsAsync(gate, Streams + Lines);
            ResultStore results = new(gate.Store);
            for (var i = 0; i < Lines; i++)
                Assert.Equal(GatedEngine.Text(Words),
                    (await results.FindAsync(new RequestId($"b{i}"), FaultWorld.Cancelled))!.Choices.Single().AllText());
            var dead = await FaultWorld.DeadLettersAsync(gate);
            Assert.Equal(0, dead);
            Assert.Equal(Streams + Lines, found);
            output.WriteLine(
                $"away for {away.TotalSeconds:0.0} s, none ended in {looks} looks meanwhile: requests in {Streams + Lines}, results out {found}, "
                + $"duplicates 0, dead letters {dead}; runs {engine.Started.Count}");
        }
        finally
        {
            await CloseAsync();
        }
    }

    protected abstract ValueTask<Transport> OpenAsync();

    protected abstract Task BreakAsync();

    protected abstract Task MendAsync();

    protected abstract ValueTask CloseAsync();
}

public sealed class StorageOutageTests(ITestOutputHelper output) : OutageTests(output)
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-outage-").FullName;
    private readonly List<Transport> _transports = [];
    private Azurite? _azurite;

    protected override async ValueTask<Transport> OpenAsync()
    {
        _azurite ??= await Azurite.StartAsync(_folder);
        StorageTransport transport =
            new(new StorageOptions { ConnectionString = _azurite.ConnectionString, LeaseTime = TimeSpan.FromSeconds(20) }, TimeProvider.System,
                NullLogger.Instance);
        _transports.Add(transport);
        await transport.OpenAsync(FaultWorld.Cancelled);
        return transport;
    }

    protected override Task BreakAsync() => _azurite!.StopAsync();

    protected override Task MendAsync() => _azurite!.StartAsync();

    protected override async ValueTask CloseAsync()
    {
        foreach (var transport in _transports) await transport.DisposeAsync();
        if (_azurite is not null) await _azurite.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
