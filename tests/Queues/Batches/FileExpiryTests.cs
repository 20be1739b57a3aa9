using R1Serverless.Queues.Batches;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Tests.Queues.Batches;

/// <summary>Files that are kept for a time only.</summary>
public sealed class FileExpiryTests
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(2);

    [Fact]
    public async Task Retention_removes_files_whose_time_is_up_and_no_others()
    {
        await using BatchWorld world = new();
        string soon = await AddAsync(world, Lifetime), later = await AddAsync(world, Lifetime * 2), kept = await AddAsync(world, null);
        RetentionSweep housekeeping = new(world.Store, TimeSpan.FromDays(1));
        world.Time.Advance(Lifetime);
        Assert.Null(await world.Files.FindAsync(soon, BatchWorld.Owner, default));
        world.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, await housekeeping.RunAsync(default));
        Assert.False(await world.Store.ExistsAsync(FileStore.Content(soon), default));
        Assert.Equal(0, await housekeeping.RunAsync(default));
        foreach (var id in (string[])[later, kept]) Assert.NotNull(await world.Files.FindAsync(id, BatchWorld.Owner, default));

        world.Time.Advance(TimeSpan.FromDays(30));
        Assert.Equal(1, await housekeeping.RunAsync(default));
        Assert.NotNull(await world.Files.FindAsync(kept, BatchWorld.Owner, default));
    }

    [Fact]
    public async Task A_file_that_is_deleted_leaves_nothing_to_remove()
    {
        await using BatchWorld world = new();
        var id = await AddAsync(world, Lifetime);
        await world.Files.DeleteAsync((await world.Files.FindAsync(id, BatchWorld.Owner, default))!, default);
        world.Time.Advance(Lifetime * 2);
        Assert.Equal(0, await new RetentionSweep(world.Store, TimeSpan.FromDays(1)).RunAsync(default));
    }

    [Fact]
    public async Task A_file_that_a_batch_reads_is_kept_until_the_batch_has_ended()
    {
        await using BatchWorld world = new();
        var job = await world.CreateAsync(BatchWorld.Lines(1), lifetime: Lifetime);
        world.Time.Advance(Lifetime * 2);
        RetentionSweep housekeeping = new(world.Store, TimeSpan.FromDays(1));
        Assert.Equal(0, await housekeeping.RunAsync(default));
        Assert.True(await world.Store.ExistsAsync(job.Input, default));

        var stored = (await world.Jobs.GetAsync(job.Id, default))!;
        await world.Jobs.TryPutAsync(stored.Job with { State = BatchState.Completed }, stored.Tag, default);
        Assert.Equal(1, await housekeeping.RunAsync(default));
        Assert.False(await world.Store.ExistsAsync(job.Input, default));
    }

    private static async Task<string> AddAsync(BatchWorld world, TimeSpan? lifetime)
    {
        var id = world.Files.NewId();
        var size = await world.Files.PutContentAsync(id, new MemoryStream("{}"u8.ToArray()), default);
        await world.Files.AddAsync(id, BatchWorld.Owner, "a.jsonl", FileStore.BatchPurpose, size, lifetime, default);
        return id;
    }
}
