using R1Serverless.ModelRegistry;
using R1Serverless.Storage;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>What leaves for a version that needs room, what counts as taken, and what a full disk leaves of a fetch.</summary>
public sealed class CacheEvictionTests : IDisposable
{
    private const int Range = VersionFetch.RangeBytes;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DeliveryWorld _world = new();

    [Fact]
    public void What_versions_share_takes_its_room_once()
    {
        VersionFile shared = new("w", 1000, "a"), own = new("c", 10, "b"), next = new("c", 10, "c");
        CachedFiles used = new("1", new DateTime(1), IsInUse: true, [shared, own]), unused = new("2", new DateTime(2), IsInUse: false, [shared]);

        Assert.Empty(Leaving(CacheEviction.Choose([used, unused], [shared, next], 1020, 5000)));
        Assert.Null(CacheEviction.Choose([used, unused], [shared, next], 1019, 5000));
        Assert.Equal(["2"], Leaving(CacheEviction.Choose([unused], [next], 500, 5000)));
    }

    [Fact]
    public void Fetches_that_were_given_up_leave_before_versions_and_the_oldest_first()
    {
        CachedFiles version = new("version", new DateTime(1), IsInUse: false, [new("w", 100, "a")]);
        CachedFiles late = Fetch("late", 3, isUnderWay: false, 100), early = Fetch("early", 2, isUnderWay: false, 100),
            underWay = Fetch("under way", 1, isUnderWay: true, 100);
        CachedFiles[] all = [version, late, early, underWay];

        Assert.Empty(Leaving(CacheEviction.Choose(all, [new("w", 50, "n")], long.MaxValue, 50)));
        Assert.Equal(["early"], Leaving(CacheEviction.Choose(all, [new("w", 150, "n")], long.MaxValue, 50)));
        Assert.Equal(["early", "late"], Leaving(CacheEviction.Choose(all, [new("w", 250, "n")], long.MaxValue, 50)));
        Assert.Equal(["early", "late", "version"], Leaving(CacheEviction.Choose(all, [new("w", 350, "n")], long.MaxValue, 50)));
        Assert.Null(CacheEviction.Choose(all, [new("w", 351, "n")], long.MaxValue, 50));
    }

    [Fact]
    public void What_a_fetch_has_yet_to_bring_is_not_free()
    {
        var underWay = Fetch("under way", 1, isUnderWay: true, 100) with { YetToCome = 70 };

        Assert.Empty(Leaving(CacheEviction.Choose([underWay], [new("w", 30, "n")], long.MaxValue, 100)));
        Assert.Null(CacheEviction.Choose([underWay], [new("w", 31, "n")], long.MaxValue, 100));
    }

    [Fact]
    public async Task What_was_given_up_counts_in_the_budget_and_leaves_before_a_version()
    {
        foreach (var i in Enumerable.Range(1, 3)) await _world.PushAsync($"{i}", ("weights.bin", i, 4 * i * Range));
        var cache = _world.Cache(budget: 20 * Range);
        (await _world.FetchAsync("1", cache)).Dispose();
        await BreakOffAsync("2", 6, () => new TransportException("away", isPermanent: true));

        using var third = await _world.FetchAsync("3", cache);

        Assert.Empty(Fetches());
        Assert.Equal(2, Directory.GetDirectories(Path.Combine(_world.CacheFolder, "versions")).Length);
    }

    [Fact]
    public async Task A_full_disk_takes_the_room_of_a_fetch_that_was_given_up_and_never_of_one_under_way()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 12 * Range));
        await _world.PushAsync("2", ("weights.bin", 2, 8 * Range));
        await BreakOffAsync("1", 10, () => new TransportException("away", isPermanent: true));
        var first = Assert.Single(Fetches());
        using (new FileStream(Path.Combine(_world.CacheFolder, "locks", Path.GetFileName(first)), FileMode.Open, FileAccess.ReadWrite,
            FileShare.None))
        {
            await BreakOffAsync("2", 1, Full);
            Assert.Contains(first, Fetches());
        }

        var asked = 0;
        _world.Store.Before = (_, _, _) => Interlocked.Increment(ref asked) == 1 ? throw Full() : ValueTask.FromResult(false);
        using var second = await _world.FetchAsync("2");

        Assert.Equal(DeliveryWorld.Content(2, 8 * Range), await File.ReadAllBytesAsync(Path.Combine(second.Path, "weights.bin")));
        Assert.Empty(Fetches());
    }

    [Fact]
    public async Task A_disk_that_fills_in_the_middle_gets_room_once_and_the_fetch_goes_on()
    {
        foreach (var i in Enumerable.Range(1, 2)) await _world.PushAsync($"{i}", ("weights.bin", i, 8 * Range));
        using var first = await _world.FetchAsync("1");
        first.Dispose();
        var reads = 0;
        _world.Store.Before = (_, _, _) => Interlocked.Increment(ref reads) == 4 ? throw Full() : ValueTask.FromResult(false);

        using var second = await _world.FetchAsync("2");

        Assert.Equal(DeliveryWorld.Content(2, 8 * Range), await File.ReadAllBytesAsync(Path.Combine(second.Path, "weights.bin")));
        Assert.False(Directory.Exists(first.Path));
    }

    [Fact]
    public async Task A_disk_that_fills_in_the_middle_is_a_sentence_and_the_next_fetch_goes_on_there()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 8 * Range));

        var full = await BreakOffAsync("1", 3, Full);

        Assert.StartsWith("There is no room for m 1: it needs 34 MB in ", full.Message, StringComparison.Ordinal);
        var asked = _world.Store.Reads.Count;
        using var fetched = await _world.FetchAsync("1");
        Assert.Equal(DeliveryWorld.Content(1, 8 * Range), await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
        Assert.Equal(5, _world.Store.Reads.Count - asked);
    }

    [Fact]
    public async Task A_fetch_under_way_has_taken_its_room_before_it_is_there()
    {
        foreach (var i in Enumerable.Range(1, 2)) await _world.PushAsync($"{i}", ("weights.bin", i, 8 * Range));
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously),
            goesOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _world.Store.Before = async (name, _, _) =>
        {
            if (!name.Contains("/1/", StringComparison.Ordinal)) return false;
            begun.TrySetResult();
            await goesOn.Task.WaitAsync(Patience);
            return false;
        };
        var first = _world.FetchAsync("1", _world.Cache(budget: 12 * Range));
        await begun.Task.WaitAsync(Patience);

        Exception full = await Assert.ThrowsAsync<IOException>(() => _world.FetchAsync("2", _world.Cache(budget: 12 * Range)));

        Assert.Contains("There is no room for m 2: ", full.Message, StringComparison.Ordinal);
        Assert.Contains("of the disk are free, of which other fetches have yet to take 34 MB. ", full.Message, StringComparison.Ordinal);
        goesOn.SetResult();
        (await first).Dispose();
        (await _world.FetchAsync("2", _world.Cache(budget: 12 * Range))).Dispose();
    }

    [Fact]
    public async Task A_fetch_of_which_nobody_can_say_what_it_is_goes()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 1000));
        Directory.CreateDirectory(Path.Combine(_world.CacheFolder, "partial", "unknown"));

        (await _world.FetchAsync("1")).Dispose();

        Assert.Empty(Fetches());
    }

    [Fact]
    public async Task Who_counts_a_fetch_of_another_process_leaves_its_journal_as_it_is()
    {
        var manifest = await _world.PushAsync("1", ("weights.bin", 1, 2 * Range));
        string staging = Directory.CreateDirectory(Path.Combine(_world.CacheFolder, "partial", "key")).FullName,
            journal = Path.Combine(staging, FetchJournal.FileName);
        await File.WriteAllBytesAsync(Path.Combine(staging, "weights.bin"), new byte[2 * Range]);
        // The other is in the middle of its second line.
        await File.WriteAllTextAsync(journal, "0 0 tag\n0 1 t");

        Assert.Equal(Range, VersionFetch.BytesThere(manifest, staging, staging, _ => false));
        Assert.Equal("0 0 tag\n0 1 t", await File.ReadAllTextAsync(journal));
    }

    public void Dispose() => _world.Dispose();

    /// <summary>Linux's ENOSPC, where a write would meet it.</summary>
    private static IOException Full() => new("No space left on device", 28);

    private static CachedFiles Fetch(string key, int lastUse, bool isUnderWay, long bytes) =>
        new(key, new DateTime(lastUse), isUnderWay, [new VersionFile(key, bytes, key)]) { IsFetch = true };

    private static IEnumerable<string> Leaving(IReadOnlyList<CachedFiles>? chosen) => chosen!.Select(one => one.Key);

    private string[] Fetches() => Directory.GetDirectories(Path.Combine(_world.CacheFolder, "partial"));

    /// <summary>A fetch that has so many ranges on the disk, and then fails at all others. Returns what it failed with.</summary>
    private async Task<Exception> BreakOffAsync(string version, int ranges, Func<Exception> fault)
    {
        var key = (await _world.Repository.FindAsync(DeliveryWorld.Model, version, CancellationToken.None))!.Value.Key;
        var journal = Path.Combine(_world.CacheFolder, "partial", key, FetchJournal.FileName);
        var began = TimeProvider.System.GetTimestamp();
        var reads = 0;
        _world.Store.Before = async (_, _, _) =>
        {
            if (Interlocked.Increment(ref reads) <= ranges) return false;
            while (Lines(journal) < ranges)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(began) < Patience);
                await Task.Delay(5);
            }

            throw fault();
        };
        var failed = await Record.ExceptionAsync(() => _world.FetchAsync(version));
        _world.Store.Before = null;
        Assert.NotNull(failed);
        return failed;
    }

    private static int Lines(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(stream);
        return reader.ReadToEnd().Count(one => one == '\n');
    }
}
