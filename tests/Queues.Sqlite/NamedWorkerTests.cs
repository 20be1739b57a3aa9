using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>Requests that name the worker that has the beginning of their prompt: it gets them first, and nobody waits long for that.</summary>
public sealed class NamedWorkerTests : IAsyncLifetime
{
    private static readonly TimeSpan NamedFirst = TimeSpan.FromMilliseconds(RequestTables.NamedFirst);

    // Stands still: what is still held back does not depend on how fast this machine is.
    private readonly WatchedTime _clock = new();
    private readonly EmbeddedFixture _fixture = new();
    private EmbeddedTransport _named = null!, _other = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _named = new EmbeddedTransport(_fixture.Folder, TimeProvider.System, new EmbeddedOptions { Clock = _clock });
        _other = new EmbeddedTransport(_fixture.Folder, TimeProvider.System, new EmbeddedOptions { Clock = _clock });
        await _named.OpenAsync(Stop);
        await _other.OpenAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await _named.DisposeAsync();
        await _other.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task At_first_only_the_worker_that_it_names_gets_a_request_then_anybody()
    {
        await EnqueueAsync(_named, "a", "b");
        Assert.Empty(await LeaseAsync(_other));
        Assert.Equal(["a"], await LeaseAsync(_named));
        _clock.Advance(WorkerPrefixes.HeadStart);
        Assert.Equal(["b"], await LeaseAsync(_other));
    }

    [Fact]
    public async Task Who_waits_gets_it_as_soon_as_it_is_anybodys()
    {
        await EnqueueAsync(_named, "a");
        var waiting = _other.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.FromMinutes(1), Stop).AsTask();
        _clock.Advance(WorkerPrefixes.HeadStart);
        Assert.Equal("a", Assert.Single(await waiting).Message.Request.Id.Value);
    }

    [Fact]
    public async Task What_others_may_take_waits_behind_nothing_that_is_not_theirs()
    {
        await EnqueueAsync(_named, [.. Enumerable.Range(0, 100).Select(i => $"n{i}")]);
        await EnqueueAsync(null, "free");
        Assert.Equal(["free"], await LeaseAsync(_other));
    }

    [Fact]
    public async Task Its_own_come_before_older_ones_for_a_while_and_nobody_is_starved()
    {
        await EnqueueAsync(null, "old");
        _clock.Advance(NamedFirst / 2);
        await EnqueueAsync(_named, "a");
        Assert.Equal(["a"], await LeaseAsync(_named));
        _clock.Advance(NamedFirst / 2 + TimeSpan.FromMilliseconds(1));
        await EnqueueAsync(_named, "b");
        Assert.Equal(["old"], await LeaseAsync(_named));
        Assert.Equal(["b"], await LeaseAsync(_named));
    }

    [Fact]
    public async Task Owners_take_turns_among_those_of_one_worker_too()
    {
        await EnqueueAsync(_named, "p0", "p1", "p2");
        var other = Request("q0", _named);
        await _named.Queue.EnqueueAsync([other with { Request = other.Request with { Owner = "q" } }], Stop);
        Assert.Equal(["p0", "q0"], await LeaseAsync(_named, 2));
    }

    [Fact]
    public async Task A_request_of_a_model_that_the_worker_no_longer_has_goes_to_another()
    {
        await EnqueueAsync(_named, "a");
        Assert.Empty(await _named.Queue.LeaseAsync(WorkClass.Interactive, [new RequestRoute("n")], 1, TimeSpan.Zero, Stop));
        _clock.Advance(WorkerPrefixes.HeadStart);
        Assert.Equal(["a"], await LeaseAsync(_other));
    }

    [Fact]
    public async Task What_was_delivered_before_is_anybodys()
    {
        await EnqueueAsync(_named, "a");
        var lease = Assert.Single(await _named.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop));
        Assert.True(await lease.AbandonAsync(TimeSpan.Zero, Stop));
        Assert.Equal(["a"], await LeaseAsync(_other));
    }

    [Fact]
    public async Task A_file_of_the_version_before_is_taken_over_with_what_waits_in_it()
    {
        await EnqueueAsync(null, "a");
        await _named.DisposeAsync();
        await _other.DisposeAsync();
        using (var connection = _fixture.OpenDatabase())
        {
            using var back = connection.CreateCommand();
            back.CommandText = "DROP INDEX named; ALTER TABLE requests DROP COLUMN worker; PRAGMA user_version = 3";
            back.ExecuteNonQuery();
        }

        await InitializeAsync();
        await EnqueueAsync(_named, "b");
        Assert.Equal(["b", "a"], await LeaseAsync(_named, 2));
    }

    private static QueuedRequest Request(string id, Transport? worker) => new()
    {
        Request = new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text("x") },
        Class = WorkClass.Interactive,
        Worker = worker?.WorkerId,
    };

    private async Task EnqueueAsync(Transport? worker, params string[] ids) =>
        await _other.Queue.EnqueueAsync([.. ids.Select(id => Request(id, worker))], Stop);

    private static async Task<IEnumerable<string>> LeaseAsync(Transport transport, int most = 1) =>
        (await transport.Queue.LeaseAsync(WorkClass.Interactive, most, TimeSpan.Zero, Stop)).Select(lease => lease.Message.Request.Id.Value);
}
