using Microsoft.Extensions.Time.Testing;
using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Storage;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>What a cache counts, what leaves it, and what of it is never written into.</summary>
public sealed class CacheUpkeepTests : IDisposable
{
    private const int Range = VersionFetch.RangeBytes;

    private readonly DeliveryWorld _world = new();

    [Fact]
    public async Task Of_a_fetch_that_broke_off_what_is_written_counts_and_not_the_holes()
    {
        var manifest = await _world.PushAsync("1", ("weights.bin", 1, 20 * Range + 7), ("config.json", 2, 100));
        var written = await BreakOffAsync();

        string staging = Assert.Single(Directory.EnumerateDirectories(Path.Combine(_world.CacheFolder, "partial"))),
            target = Path.Combine(staging, DeliveryWorld.Model);
        Assert.Equal(20 * Range + 7, new FileInfo(Path.Combine(target, "weights.bin")).Length);
        Assert.Equal(written.Count * Range, VersionFetch.BytesThere(manifest, staging, target, _ => false));
        // A file that is whole counts, unless another version has it too.
        var config = Path.Combine(target, "config.json");
        await File.WriteAllBytesAsync(config, DeliveryWorld.Content(2, 100));
        Assert.True(await VerifiedFile.TryMarkAsync(config, manifest.Files.Single(file => file.Path == "config.json"), CancellationToken.None));
        Assert.Equal(100,
            VersionFetch.BytesThere(manifest, staging, target, _ => false) - VersionFetch.BytesThere(manifest, staging, target, _ => true));
    }

    [Fact]
    public async Task A_fetch_that_broke_off_goes_on_with_exactly_what_is_missing()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 10 * Range));
        var written = await BreakOffAsync();
        var before = _world.Store.Reads.Count;
        _world.Store.Before = null;

        using var fetched = await _world.FetchAsync("1");

        Assert.Equal(Enumerable.Range(0, 10).Select(range => (long)range * Range).Except(written),
            _world.Store.Reads.Skip(before).Select(read => read.Offset).Order());
        Assert.Equal((10 - written.Count) * Range, fetched.FetchedBytes);
        Assert.Equal(DeliveryWorld.Content(1, 10 * Range), await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
    }

    [Fact]
    public async Task A_version_was_used_as_long_as_it_was_open()
    {
        foreach (var i in Enumerable.Range(1, 3)) await _world.PushAsync($"{i}", ("weights.bin", i, 1000));
        FakeTimeProvider time = new(TimeProvider.System.GetUtcNow());
        ModelCache cache = new(_world.CacheFolder, 2500, time);
        using (await _world.FetchAsync("1", cache))
        {
            time.Advance(TimeSpan.FromHours(1));
            (await _world.FetchAsync("2", cache)).Dispose();
            time.Advance(TimeSpan.FromHours(1));
        }

        using var third = await _world.FetchAsync("3", cache);

        Assert.Equal(["1", "3"], Cached());
    }

    [Fact]
    public async Task A_damaged_version_that_another_process_looks_at_too_is_waited_for()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 1000));
        string path;
        using (var first = await _world.FetchAsync("1")) path = Path.Combine(first.Path, "weights.bin");
        await File.WriteAllBytesAsync(path, DeliveryWorld.Content(2, 1000));
        WatchedTime time = new();
        Task<CachedVersion> fetching;
        using (new FileStream(Path.Combine(path, "..", "..", CacheFolders.UseFile), FileMode.Open, FileAccess.Read, FileShare.Read))
        {
            fetching = _world.FetchAsync("1", new ModelCache(_world.CacheFolder, 1L << 40, time));
            await time.UntilAwaitedAsync(ModelCache.Look);
        }

        Assert.Equal(1, await time.PassAsync(ModelCache.Look, fetching));
        using var fetched = await fetching;
        Assert.Equal(DeliveryWorld.Content(1, 1000), await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task What_is_fetched_is_not_written_into_another_versions_file()
    {
        await _world.PushAsync("1", ("weights.bin", 1, Range));
        await _world.PushAsync("2", ("weights.bin", 1, Range), ("config.json", 2, 100));
        using var first = await _world.FetchAsync("1");
        var path = Path.Combine(first.Path, "weights.bin");
        // A disk that changes by itself sets no time of writing.
        var written = File.GetLastWriteTimeUtc(path);
        var damaged = DeliveryWorld.Content(9, Range);
        await File.WriteAllBytesAsync(path, damaged);
        File.SetLastWriteTimeUtc(path, written);

        using var second = await _world.FetchAsync("2");

        Assert.Equal(DeliveryWorld.Content(1, Range), await File.ReadAllBytesAsync(Path.Combine(second.Path, "weights.bin")));
        // Whoever has it mapped sees no other bytes all of a sudden.
        Assert.Equal(damaged, await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task A_version_that_can_not_be_read_leaves_for_others_too()
    {
        foreach (var i in Enumerable.Range(1, 2)) await _world.PushAsync($"{i}", ("weights.bin", i, 1000));
        var cache = _world.Cache(budget: 1500);
        (await _world.FetchAsync("1", cache)).Dispose();
        await File.WriteAllBytesAsync(Path.Combine(Versions().Single(), VersionManifest.FileName), []);

        using var second = await _world.FetchAsync("2", cache);

        Assert.Equal([Path.GetDirectoryName(second.Path)!], Versions());
    }

    [Fact]
    public async Task What_stands_in_a_versions_place_and_is_none_is_replaced()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 1000));
        (await _world.FetchAsync("1")).Dispose();
        File.Delete(Path.Combine(Versions().Single(), CacheFolders.UseFile));

        using var again = await _world.FetchAsync("1");

        Assert.Equal(DeliveryWorld.Content(1, 1000), await File.ReadAllBytesAsync(Path.Combine(again.Path, "weights.bin")));
    }

    [Fact]
    public async Task What_was_prepared_below_a_version_counts()
    {
        foreach (var i in Enumerable.Range(1, 2)) await _world.PushAsync($"{i}", ("weights.bin", i, 1000));
        var cache = _world.Cache(budget: 2500);
        using (var first = await _world.FetchAsync("1", cache))
        {
            var prepared = Directory.CreateDirectory(Path.Combine(first.Path, PreparedManifest.FolderName, "model-0123")).FullName;
            await File.WriteAllBytesAsync(Path.Combine(prepared, PreparedManifest.WeightsFile), new byte[1000]);
        }

        using var second = await _world.FetchAsync("2", cache);

        Assert.Equal(["2"], Cached());
    }

    public void Dispose() => _world.Dispose();

    /// <summary>A fetch whose first three ranges of weights.bin are written before all others fail; where those three begin.</summary>
    private async Task<IReadOnlySet<long>> BreakOffAsync()
    {
        const int Written = 3;
        HashSet<long> passed = [];
        TaskCompletionSource written = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _world.Store.Before = async (name, offset, _) =>
        {
            lock (passed)
            {
                if (name.EndsWith("weights.bin", StringComparison.Ordinal) && passed.Count < Written)
                {
                    passed.Add(offset);
                    return false;
                }
            }

            // Not before: a fault stops what is still being read.
            await written.Task.WaitAsync(TimeSpan.FromMinutes(1));
            throw new TransportException("away", isPermanent: true);
        };
        Told told = new(now =>
        {
            if (now.Done == Written * Range) written.TrySetResult();
        });
        (VersionManifest, string)? version = await _world.Repository.FindAsync(DeliveryWorld.Model, "1", CancellationToken.None);
        await Assert.ThrowsAsync<TransportException>(() => _world.Cache().OpenAsync(_world.Repository, version!.Value, told, CancellationToken.None));
        return passed;
    }

    private string[] Versions() => Directory.GetDirectories(Path.Combine(_world.CacheFolder, "versions"));

    private IEnumerable<string> Cached() => Versions().Select(path => Path.Combine(path, VersionManifest.FileName))
        .Select(path => VersionManifest.Read(File.ReadAllBytes(path), path).Version).Order(StringComparer.Ordinal);

    /// <summary>At once, where it happens.</summary>
    private sealed class Told(Action<Transferred> now) : IProgress<Transferred>
    {
        public void Report(Transferred value) => now(value);
    }
}
