using Microsoft.Extensions.Time.Testing;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>Records, clients' keys, counts and what is purged.</summary>
public sealed class RequestStoreTests
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(24);
    private readonly FakeTimeProvider _time = new();
    private readonly FakeStore _store;

    public RequestStoreTests() => _store = new FakeBroker(_time).Store;

    [Fact]
    public async Task A_record_is_found_by_its_owner_only()
    {
        RequestRecords records = new(_store);
        RequestRecord record = Record("one", "0123456789abcdef") with { Webhook = "https://example.com/" };
        await records.AddAsync(record, default);
        Assert.Equal(record, await records.FindAsync("0123456789abcdef", "one", default));
        Assert.Null(await records.FindAsync("", "one", default));
        Assert.Null(await records.FindAsync("fedcba9876543210", "one", default));
        foreach (string odd in (string[])["", "..", "a/b", "../0123456789abcdef/one", new string('a', 65), "é"]) Assert.Null(await records.FindAsync("0123456789abcdef", odd, default));
    }

    [Fact]
    public async Task One_of_several_takes_a_key_and_it_can_be_given_back_or_taken_over_once()
    {
        IdempotencyKeys keys = new(_store);
        IdempotencyClaim mine = await keys.ClaimAsync("", "k", new IdempotencyEntry("r1", "h1"), default);
        Assert.True(mine.IsMine);
        IdempotencyClaim other = await keys.ClaimAsync("", "k", new IdempotencyEntry("r2", "h2"), default);
        Assert.Equal((false, "r1", "h1", false), (other.IsMine, other.Entry.Id, other.Entry.BodyHash, other.Entry.IsEnqueued));
        Assert.True((await keys.ClaimAsync("0123456789abcdef", "k", new IdempotencyEntry("r3", "h3"), default)).IsMine);

        Assert.NotNull(await keys.TakeOverAsync(other, default));
        Assert.Null(await keys.TakeOverAsync(other, default));
        await keys.ConfirmAsync(mine, default);
        await keys.ReleaseAsync(mine, default);
        IdempotencyClaim seen = (await keys.FindAsync("", "k", default))!;
        Assert.Equal((false, false), (seen.Entry.IsEnqueued, seen.Entry.IsGivenBack));
        await keys.ReleaseAsync(seen, default);

        // It stands for the same request, and for no other body.
        Assert.False((await keys.ClaimAsync("", "k", new IdempotencyEntry("r4", "h4"), default)).IsMine);
        IdempotencyClaim again = await keys.ClaimAsync("", "k", new IdempotencyEntry("r5", "h1"), default);
        Assert.Equal((true, "r1"), (again.IsMine, again.Entry.Id));
        Assert.False((await keys.ClaimAsync("", "k", new IdempotencyEntry("r6", "h1"), default)).IsMine);
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
        QueuedWork work = new(_store, (_, _, _) => ValueTask.FromResult(lines), _time);
        for (int i = 0; i < 2; i++)
        {
            Assert.True(await work.TryAddAsync("a", 1, 3, default));
            await records.AddAsync(Record($"r{i}", "a"), default);
        }

        Assert.False(await work.TryAddAsync("a", 1, 3, default));
        Assert.True(await work.TryAddAsync("b", 1, 3, default));
        await EndAsync("r0");
        Assert.False(await work.TryAddAsync("a", 1, 3, default));
        _time.Advance(QueuedWork.ShortestBelief);
        Assert.True(await work.TryAddAsync("a", 1, 3, default));
        Assert.False(await work.TryAddAsync("a", 1, 3, default));

        // Two records wait, and some lines of batches.
        lines = 5;
        _time.Advance(QueuedWork.LongestBelief);
        Assert.False(await work.TryAddAsync("a", 4, 10, default));
        Assert.True(await work.TryAddAsync("a", 3, 10, default));
        Assert.False(await work.TryAddAsync("a", 1, 10, default));
        Assert.False(await work.TryAddAsync("c", 11, 10, default));
        lines = 0;
        _time.Advance(QueuedWork.ShortestBelief);
        Assert.True(await work.TryAddAsync("a", 7, 10, default));
    }

    [Fact]
    public async Task What_is_old_goes_with_all_that_belongs_to_it_and_what_waits_stays()
    {
        RequestRecords records = new(_store);
        IdempotencyKeys keys = new(_store);
        foreach (string id in (string[])["ended", "waiting"])
        {
            await records.AddAsync(Record(id, "a"), default);
            await keys.ClaimAsync("a", id, new IdempotencyEntry(id, "h", IsEnqueued: true), default);
        }

        await new WebhookDeliveries(_store).AddAsync(new WebhookDelivery("owed", "a", "https://example.com/"), default);
        await records.AddAsync(Record("owed", "a"), default);
        foreach (string id in (string[])["ended", "owed", "batch_1-7"]) await EndAsync(id);
        await new CancellationMarks(_store).SetAsync("ended", default);
        await new CancellationMarks(_store).SetAsync("batch_1", default);
        await _store.PutAsync("bodies/b", new byte[1], PutCondition.Always, default);
        // Listed before the others.
        await _store.PutAsync("idempotency/a/0-damaged.json", "{"u8.ToArray(), PutCondition.Always, default);
        Housekeeping housekeeping = new(_store, Retention);

        Assert.Equal(0, await housekeeping.RunAsync(default));
        _time.Advance(Retention + TimeSpan.FromSeconds(1));
        Assert.Equal(5, await housekeeping.RunAsync(default));
        Assert.Null(await records.FindAsync("a", "ended", default));
        Assert.Null(await keys.FindAsync("a", "ended", default));
        Assert.Equal(["batch_1"], await new CancellationMarks(_store).ListAsync(default));
        foreach (string id in (string[])["waiting", "owed"]) Assert.NotNull(await records.FindAsync("a", id, default));
        Assert.NotNull(await keys.FindAsync("a", "waiting", default));
        Assert.True(await new ResultStore(_store).ExistsAsync(new RequestId("owed"), default));
        Assert.True(await new ResultStore(_store).ExistsAsync(new RequestId("batch_1-7"), default));
        Assert.True(await _store.ExistsAsync("bodies/b", default));

        _time.Advance(Housekeeping.LongestWait);
        await housekeeping.RunAsync(default);
        await housekeeping.RunAsync(default);
        foreach (string folder in (string[])["requests/", "results/", "idempotency/", "cancelled/", "webhooks/", "bodies/"])
        {
            await foreach (ObjectEntry left in _store.ListAsync(folder, default)) Assert.Fail(left.Name);
        }
    }

    private static RequestRecord Record(string id, string owner) => new(id, owner, "Chat", "m", 1);

    private async Task EndAsync(string id) => Assert.True(
        await new ResultStore(_store).TryPutAsync(new InferenceResult { Id = new RequestId(id), Outcome = RequestOutcome.Finished, Usage = new Usage(1, 1, 0) }, default));
}
