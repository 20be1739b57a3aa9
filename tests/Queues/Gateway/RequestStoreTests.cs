using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Webhooks;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>Records, clients' keys, counts and what is purged.</summary>
public sealed class RequestStoreTests
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(24);
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryStore _store;

    public RequestStoreTests() => _store = new FakeBroker(_time).Store;

    [Fact]
    public async Task A_record_is_found_by_its_owner_only()
    {
        RequestRecords records = new(_store);
        var record = Record("one", "0123456789abcdef") with { Webhook = "https://example.com/" };
        await records.AddAsync(record, default);
        Assert.Equal(record, await records.FindAsync("0123456789abcdef", "one", default));
        Assert.Null(await records.FindAsync("", "one", default));
        Assert.Null(await records.FindAsync("fedcba9876543210", "one", default));
        foreach (var odd in (string[])["", "..", "a/b", "../0123456789abcdef/one", new string('a', 65), "é"])
            Assert.Null(await records.FindAsync("0123456789abcdef", odd, default));
    }

    [Fact]
    public async Task One_of_several_takes_a_key_and_it_can_be_given_back_or_taken_over_once()
    {
        IdempotencyKeys keys = new(_store);
        var mine = await keys.ClaimAsync("", "k", new IdempotencyEntry("r1", "h1", 1), default);
        Assert.True(mine.IsMine);
        var other = await keys.ClaimAsync("", "k", new IdempotencyEntry("r2", "h2", 1), default);
        Assert.Equal((false, "r1", "h1", false), (other.IsMine, other.Entry.Id, other.Entry.BodyHash, other.Entry.IsEnqueued));
        Assert.True((await keys.ClaimAsync("0123456789abcdef", "k", new IdempotencyEntry("r3", "h3", 1), default)).IsMine);

        Assert.NotNull(await keys.TakeOverAsync(other, default));
        Assert.Null(await keys.TakeOverAsync(other, default));
        await keys.ConfirmAsync(mine, default);
        await keys.ReleaseAsync(mine, default);
        var seen = (await keys.FindAsync("", "k", default))!;
        Assert.Equal((false, false), (seen.Entry.IsEnqueued, seen.Entry.IsGivenBack));
        await keys.ReleaseAsync(seen, default);

        // It stands for the same request, and for no other body.
        Assert.False((await keys.ClaimAsync("", "k", new IdempotencyEntry("r4", "h4", 1), default)).IsMine);
        var again = await keys.ClaimAsync("", "k", new IdempotencyEntry("r5", "h1", 1), default);
        Assert.Equal((true, "r1"), (again.IsMine, again.Entry.Id));
        Assert.False((await keys.ClaimAsync("", "k", new IdempotencyEntry("r6", "h1", 1), default)).IsMine);
        await keys.ConfirmAsync(again, default);
        await keys.ReleaseAsync(again, default);
        Assert.True((await keys.FindAsync("", "k", default))!.Entry is { IsEnqueued: true, IsGivenBack: false });
    }

    [Fact]
    public async Task A_key_has_no_more_waiting_than_it_may_until_results_are_there()
    {
        RequestRecords records = new(_store);
        await records.AddAsync(Record("before", "a"), default);
        long lines = 0;
        OwnerQuota work = new(_store, (_, _, _) => ValueTask.FromResult(lines), _time);
        for (var i = 0; i < 2; i++)
        {
            Assert.True(await work.TryAddAsync("a", 1, 3, default));
            await records.AddAsync(Record($"r{i}", "a"), default);
        }

        Assert.False(await work.TryAddAsync("a", 1, 3, default));
        Assert.True(await work.TryAddAsync("b", 1, 3, default));
        await EndAsync("r0");
        Assert.False(await work.TryAddAsync("a", 1, 3, default));
        _time.Advance(OwnerQuota.ShortestBelief);
        Assert.True(await work.TryAddAsync("a", 1, 3, default));
        Assert.False(await work.TryAddAsync("a", 1, 3, default));

        // Two records wait, and some lines of batches.
        lines = 5;
        _time.Advance(OwnerQuota.LongestBelief);
        Assert.False(await work.TryAddAsync("a", 4, 10, default));
        Assert.True(await work.TryAddAsync("a", 3, 10, default));
        Assert.False(await work.TryAddAsync("a", 1, 10, default));
        Assert.False(await work.TryAddAsync("c", 11, 10, default));
        lines = 0;
        _time.Advance(OwnerQuota.ShortestBelief);
        Assert.True(await work.TryAddAsync("a", 7, 10, default));
    }

    [Fact]
    public async Task Counting_a_keys_work_looks_at_no_other_keys_objects_and_at_each_ended_request_once()
    {
        RequestRecords records = new(_store);
        foreach (var owner in (string[])["a", "b"])
        {
            for (var i = 0; i < 3; i++) await records.AddAsync(Record($"{owner}{i}", owner), default);
            await EndAsync($"{owner}0");
        }

        OwnerQuota work = new(_store, (_, _, _) => ValueTask.FromResult(0L), _time);
        _store.Seen.Clear();
        Assert.True(await work.TryAddAsync("a", 1, 3, default));
        Assert.Equal(["requests/a/a0.json", "requests/a/a1.json", "requests/a/a2.json", "results/a0.json", "results/a1.json", "results/a2.json"],
            _store.Seen.Order(StringComparer.Ordinal));

        _time.Advance(OwnerQuota.LongestBelief);
        _store.Seen.Clear();
        Assert.True(await work.TryAddAsync("a", 1, 3, default));
        Assert.DoesNotContain("results/a0.json", _store.Seen);
    }

    [Fact]
    public async Task A_key_whose_count_takes_long_keeps_no_other_key_waiting()
    {
        TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.BeforeList = prefix => prefix.Contains("/a/", StringComparison.Ordinal) ? slow.Task : Task.CompletedTask;
        OwnerQuota work = new(_store, (_, _, _) => ValueTask.FromResult(0L), _time);
        var first = work.TryAddAsync("a", 1, 3, default).AsTask();
        Assert.True(await work.TryAddAsync("b", 1, 3, default).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.False(first.IsCompleted);
        slow.SetResult();
        Assert.True(await first);
    }

    [Fact]
    public async Task What_is_old_goes_with_all_that_belongs_to_it_and_what_waits_stays()
    {
        RequestRecords records = new(_store);
        IdempotencyKeys keys = new(_store);
        foreach (var id in (string[])["ended", "waiting"])
        {
            await records.AddAsync(Record(id, "a"), default);
            await keys.ClaimAsync("a", id, new IdempotencyEntry(id, "h", 1, IsEnqueued: true), default);
        }

        await new WebhookDeliveries(_store).AddAsync(new WebhookDelivery("owed", "a", "https://example.com/"), default);
        await records.AddAsync(Record("owed", "a"), default);
        foreach (var id in (string[])["ended", "owed", "batch_1-7"]) await EndAsync(id);
        await new CancellationMarkers(_store).SetAsync("ended", default);
        await new CancellationMarkers(_store).SetAsync("batch_1", default);
        await _store.PutAsync("bodies/b", new byte[1], PutCondition.Always, default);
        // Listed before the others.
        await _store.PutAsync("idempotency/a/0-damaged.json", "{"u8.ToArray(), PutCondition.Always, default);
        RetentionSweep sweep = new(_store, Retention);

        Assert.Equal(0, await sweep.RunAsync(default));
        _time.Advance(Retention + TimeSpan.FromSeconds(1));
        Assert.Equal(5, await sweep.RunAsync(default));
        Assert.Null(await records.FindAsync("a", "ended", default));
        Assert.Null(await keys.FindAsync("a", "ended", default));
        Assert.Equal(["batch_1"], await new CancellationMarkers(_store).ListAsync(default));
        foreach (var id in (string[])["waiting", "owed"]) Assert.NotNull(await records.FindAsync("a", id, default));
        Assert.NotNull(await keys.FindAsync("a", "waiting", default));
        Assert.True(await new ResultStore(_store).ExistsAsync(new RequestId("owed"), default));
        Assert.True(await new ResultStore(_store).ExistsAsync(new RequestId("batch_1-7"), default));
        Assert.True(await _store.ExistsAsync("bodies/b", default));

        _time.Advance(RetentionSweep.LongestWait);
        await sweep.RunAsync(default);
        await sweep.RunAsync(default);
        foreach (var folder in (string[])["requests/", "results/", "idempotency/", "cancelled/", "webhooks/", "bodies/"])
        {
            await foreach (var left in _store.ListAsync(folder, default)) Assert.Fail(left.Name);
        }
    }

    private static RequestRecord Record(string id, string owner) => new(id, owner, "Chat", "m", 1);

    private async Task EndAsync(string id) => Assert.True(
        await new ResultStore(_store).TryPutAsync(
        new InferenceResult { Id = new RequestId(id), Outcome = RequestOutcome.Finished, Usage = new Usage(1, 1, 0) }, default));
}
