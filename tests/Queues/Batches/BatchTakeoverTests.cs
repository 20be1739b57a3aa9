using R1Serverless.Queues;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Tests.Queues.Batches;

/// <summary>Processes that drive batches freeze, die and come back: each line is in exactly one place, once.</summary>
public sealed class BatchTakeoverTests
{
    private const int Lines = 300;

    private static readonly TimeSpan Small = TimeSpan.FromMilliseconds(2);

    [Fact]
    public async Task Another_process_goes_on_after_a_silence_and_queues_little_again()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(Lines));
        var first = world.StartDriver();
        List<QueuedRequest> seen = [];
        await world.UntilAsync(async () =>
        {
            await world.WorkAsync(Note, most: 10);
            return seen.Count >= 150;
        });
        first.Pause();
        var driver = (await world.JobAsync(created.Id)).Driver!.Name;
        world.StartDriver();
        var before = world.Time.GetUtcNow().TimeOfDay;
        await world.UntilAsync(async () => (await world.JobAsync(created.Id)).Driver!.Name != driver, Small);
        Assert.InRange(world.Time.GetUtcNow().TimeOfDay - before, world.Limits.Silence, world.Limits.Silence * 2);
        await world.UntilAsync(async () =>
        {
            await world.WorkAsync(Note);
            return (await world.JobAsync(created.Id)).IsEnded;
        });
        await AssertWholeAsync(world, created.Id);
        Assert.InRange(seen.Count - seen.DistinctBy(one => one.Request.Id).Count(), 0, world.Limits.Outstanding);

        bool Note(QueuedRequest request)
        {
            seen.Add(request);
            return true;
        }
    }

    [Fact]
    public async Task A_process_that_stops_orderly_is_followed_at_once()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(10));
        world.StartDriver();
        await world.UntilAsync(() => world.Queue.Count == 10);
        await world.StopDriversAsync();
        Assert.Null((await world.JobAsync(created.Id)).Driver);
        world.StartDriver();
        var before = world.Time.GetUtcNow();
        Assert.Equal(BatchState.Completed, (await world.UntilEndedAsync(created.Id, inStep: true)).State);
        Assert.True(world.Time.GetUtcNow() - before < world.Limits.Silence);
    }

    [Theory]
    [InlineData("segment-00002")]
    [InlineData("job.json")]
    [InlineData("/content")]
    [InlineData("/meta.json")]
    public async Task A_process_that_was_frozen_before_a_write_and_comes_back_changes_nothing(string write)
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(Lines));
        var first = world.StartDriver();
        var writes = 0;
        first.BeforePut = name =>
        {
            if (name.EndsWith(write, StringComparison.Ordinal) && ++writes == (write == "job.json" ? 8 : 1)) first.Pause();
        };
        await world.UntilAsync(async () =>
        {
            await world.WorkAsync(most: 20);
            return first.IsPaused;
        });
        world.StartDriver();
        var ended = await world.UntilEndedAsync(created.Id);
        await AssertWholeAsync(world, created.Id);
        first.Resume();
        await world.PassAsync();

        Assert.Equal(ended.OutputFile, (await world.JobAsync(created.Id)).OutputFile);
        await AssertWholeAsync(world, created.Id);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Freezes_at_random_writes_with_duplicate_results_and_a_cancel_lose_and_double_nothing(int seed)
    {
        Random random = new(seed);
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(Lines));
        List<PausableStore> stores = [Driver(), Driver()];
        BatchCounts last = new(0, 0, 0);
        var steps = 0;
        await world.UntilAsync(async () =>
        {
            steps++;
            if (stores.All(one => one.IsPaused)) stores.Add(Driver());
            foreach (var store in stores.Where(one => one.IsPaused && random.Next(300) == 0)) store.Resume();
            await world.WorkAsync(request =>
            {
                // A second delivery of the same request, now and then.
                if (random.Next(10) == 0) world.Queue.Enqueue(request);
                return true;
            }, random.Next(8));
            if (seed == 4 && steps == 60) await world.Jobs.CancelAsync(created.Id, default);
            var job = await world.JobAsync(created.Id);
            Assert.True(job.Counts.Completed >= last.Completed && job.Counts.Failed >= last.Failed, $"seed {seed}: {last} → {job.Counts}");
            last = job.Counts;
            return job.IsEnded;
        });
        foreach (var store in stores) store.Resume();
        await AssertWholeAsync(world, created.Id);

        PausableStore Driver()
        {
            var store = world.StartDriver();
            store.BeforePut = _ =>
            {
                lock (random)
                {
                    if (random.Next(60) == 0) store.Pause();
                }
            };
            return store;
        }
    }

    /// <summary>Each custom_id exactly once, in the input's order in each file, with its own answer.</summary>
    private static async Task AssertWholeAsync(BatchWorld world, string id)
    {
        var job = await world.JobAsync(id);
        var output = await world.ReadAsync(job.OutputFile);
        var errors = await world.ReadAsync(job.ErrorFile);
        int[] answered = [.. BatchWorld.Ids(output).Select(one => int.Parse(one[3..]))];
        int[] failed = [.. BatchWorld.Ids(errors).Select(one => int.Parse(one[3..]))];
        Assert.Equal(answered.Order(), answered);
        Assert.Equal(failed.Order(), failed);
        Assert.Equal(Enumerable.Range(0, Lines), answered.Concat(failed).Order());
        Assert.Equal(new BatchCounts(Lines, answered.Length, failed.Length), job.Counts);
        Assert.Equal(
            answered.Select(i => $"re: ask {i}"),
            output.Select(
            line => line.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content")
            .GetString()));
        if (job.State == BatchState.Completed) Assert.Empty(failed);
    }
}
