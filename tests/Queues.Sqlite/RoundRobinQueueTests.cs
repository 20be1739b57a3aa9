using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>No owner of requests delays another by more than a request each, and no operation slows down with the length of the queue.</summary>
public sealed class RoundRobinQueueTests : IAsyncLifetime
{
    private const int Flood = 10_000;

    private readonly EmbeddedFixture _fixture = new();
    private IRequestQueue _queue = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _queue = (await _fixture.ConnectAsync()).Queue;

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_flood_from_one_owner_does_not_delay_another()
    {
        await EnqueueAsync("flood", Flood);
        Assert.Equal(["flood", "flood", "flood"], await OwnersAsync(3));

        await EnqueueAsync("late", 3);
        Assert.Contains("late", await OwnersAsync(2));
        Assert.Equal(2, (await OwnersAsync(4)).Count(owner => owner == "late"));

        await EnqueueAsync("later", 1);
        Assert.Contains("later", await OwnersAsync(2));
    }

    [Fact]
    public async Task Owners_take_turns_and_each_keeps_its_order()
    {
        foreach (var owner in (string[])["a", "b", "c"]) await EnqueueAsync(owner, 4);
        var leases = await _queue.LeaseAsync(WorkClass.Interactive, 12, TimeSpan.Zero, Stop);
        Assert.Equal("abcabcabcabc", string.Concat(leases.Select(lease => lease.Message.Request.Owner)));
        foreach (var owner in (string[])["a", "b", "c"])
            Assert.Equal([$"{owner}0", $"{owner}1", $"{owner}2", $"{owner}3"],
                leases.Where(lease => lease.Message.Request.Owner == owner).Select(lease => lease.Message.Request.Id.Value));
    }

    [Fact]
    public async Task Who_was_away_is_owed_nothing()
    {
        await EnqueueAsync("a", 1);
        await OwnersAsync(1);
        await EnqueueAsync("b", 100);
        await OwnersAsync(100);
        // "a" and "b" stand where a new owner would: neither has credit from the time it was away.
        await EnqueueAsync("b", 3);
        await EnqueueAsync("a", 3);
        Assert.Equal("bababa", string.Concat(await OwnersAsync(6)));
    }

    [Fact]
    public async Task What_comes_back_is_first()
    {
        await EnqueueAsync("a", 1);
        var lease = (await _queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop))[0];
        await EnqueueAsync("b", 5);
        await lease.AbandonAsync(TimeSpan.Zero, Stop);
        Assert.Equal(["a"], await OwnersAsync(1));
    }

    /// <summary>Counted in instructions of SQLite's machine, which the load of this one doesn't touch.</summary>
    [Fact]
    public async Task A_long_queue_costs_no_more_per_request_than_a_short_one()
    {
        await EnqueueAsync("a", 100);
        var few = Instructions();
        await EnqueueAsync("a", Flood);
        Assert.InRange(Instructions(), 1, few * 12 / 10);
    }

    private long Instructions()
    {
        using var connection = _fixture.OpenDatabase();
        RequestTables tables = new(connection);
        RequestRoute route = new("m");
        long count = 0;
        SQLitePCL.raw.sqlite3_progress_handler(connection.Handle, 1, Count, null);
        tables.Enqueue([new NewRequest(WorkClass.Interactive, route, "c", [1], "results/c.json")], 0);
        LeasedRow[] rows = [.. tables.Lease("w", WorkClass.Interactive, [route], 3, token: 7, now: 1, until: 2)];
        Assert.True(tables.Complete(rows[0].Id, 7));
        Assert.True(tables.Renew(rows[1].Id, 7, 9));
        Assert.True(tables.Abandon(rows[1].Id, 7, null));
        Assert.True(tables.DeadLetter(rows[2].Id, 7, "no"));
        Assert.True(tables.IsReady("w", WorkClass.Interactive, [route], 1));
        SQLitePCL.raw.sqlite3_progress_handler(connection.Handle, 0, null, null);
        return count;

        int Count(object? _)
        {
            count++;
            return 0;
        }
    }

    private async Task EnqueueAsync(string owner, int count) => await _queue.EnqueueAsync(
        [.. Enumerable.Range(0, count)
        .Select(i =>
        new QueuedRequest { Request =
        new InferenceRequest { Id = new RequestId($"{owner}{i}"), Model = "m", Prompt = new Prompt.Text("x"), Owner = owner },
            Class = WorkClass.Interactive })],
            Stop);

    private async Task<List<string>> OwnersAsync(int count)
    {
        List<string> owners =
            [.. (await _queue.LeaseAsync(WorkClass.Interactive, count, TimeSpan.Zero, Stop)).Select(lease => lease.Message.Request.Owner)];
        Assert.Equal(count, owners.Count);
        return owners;
    }
}
