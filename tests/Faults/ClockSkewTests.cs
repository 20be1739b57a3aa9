using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;

namespace R1Serverless.Tests.Faults;

/// <summary>Gateway and workers over one folder whose clocks are ten minutes apart: leases and deadlines go by the queue's clock and by elapsed time
/// alone.</summary>
public sealed class ClockSkewTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Requests = 20, Words = 36;

    private static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(12), WordTime = TimeSpan.FromMilliseconds(380),
        Short = TimeSpan.FromSeconds(1), Long = TimeSpan.FromMinutes(5);

    // The system's timers count whole ticks of a coarser clock than the one this test measures by: they may fire a little before their time.
    private static readonly TimeSpan TimerTick = TimeSpan.FromMilliseconds(20);

    /// <summary>In minutes.</summary>
    private static readonly (int Gateway, int First, int Second)[] Offsets = [(0, 10, -10), (-10, 10, 0), (10, -10, 10)];

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-skew-").FullName;
    private readonly List<Transport> _transports = [];
    private readonly FaultWorld _world = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        foreach (var transport in _transports) await transport.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>All of them at once, as they mostly wait: so a lease can be long enough for a machine with other work.</summary>
    [Fact]
    public async Task Clocks_ten_minutes_apart_change_nothing()
    {
        List<Task> runs = [];
        foreach ((var gateway, var first, var second) in Offsets)
        {
            var folder = Path.Combine(_folder, $"{runs.Count}");
            runs.Add(RunAsync($"{gateway:+0;-0;0}, {first:+0;-0;0}, {second:+0;-0;0} min", await ConnectAsync(folder, gateway),
                await ConnectAsync(folder, first), await ConnectAsync(folder, second)));
        }

        await Task.WhenAll(runs);
    }

    /// <summary>Answers take longer than a lease: without renewal that holds in all clocks, the other worker would take them over.</summary>
    private async Task RunAsync(string clocks, Connection gate, Connection first, Connection second)
    {
        GatedEngine one = new(first.Time, wordTime: WordTime), other = new(second.Time, wordTime: WordTime);
        _world.Work(first.Transport, one, first.Time);
        _world.Work(second.Transport, other, second.Time);
        var gateway = _world.Gate(gate.Transport, gate.Time);
        Task<string>[] answers = [.. Enumerable.Range(0, Requests).Select(i => FaultWorld.TextAsync(gateway, FaultWorld.Ask($"r{i}", Words, Long)))];
        var began = TimeProvider.System.GetTimestamp();
        var expired =
            await FaultWorld.TextAsync(gateway, FaultWorld.Ask("late", 10_000, Short)).WaitAsync(FaultWorld.Patience, FaultWorld.Cancelled);
        var took = TimeProvider.System.GetElapsedTime(began);
        var texts = await Task.WhenAll(answers).WaitAsync(FaultWorld.Patience, FaultWorld.Cancelled);

        Assert.All(texts, text => Assert.Equal(GatedEngine.Text(Words), text));
        Assert.Equal(nameof(InferenceErrorKind.DeadlineExceeded), expired);
        Assert.True(took >= Short - TimerTick, $"expired after {took}");
        RequestId[] started = [.. one.Started, .. other.Started];
        Assert.Equal(started.Distinct().Count(), started.Length);
        await FaultWorld.UntilAsync(() => FaultWorld.IsEmptyAsync(gate.Transport, WorkClass.Interactive));
        var left = await gate.Transport.Queue.StatisticsAsync(WorkClass.Interactive, FaultWorld.Cancelled);
        Assert.Equal(0, left.DeadLetters);
        output.WriteLine(
            $"clocks {clocks}: requests in {Requests + 1}, results out {texts.Length} and 1 expired after {took.TotalSeconds:0.0} s, started twice "
            + $"0, dead letters {left.DeadLetters}");
    }

    private async Task<Connection> ConnectAsync(string folder, int minutes)
    {
        OffsetTime time = new(TimeSpan.FromMinutes(minutes));
        EmbeddedTransport transport = new(folder, time, new EmbeddedOptions { LeaseTime = LeaseTime });
        _transports.Add(transport);
        await transport.OpenAsync(FaultWorld.Cancelled);
        return new Connection(transport, time);
    }

    private sealed record Connection(Transport Transport, OffsetTime Time);
}
