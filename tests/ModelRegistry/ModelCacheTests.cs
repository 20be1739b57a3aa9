using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Storage;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>What is fetched, linked, kept, removed and never loaded.</summary>
public sealed class ModelCacheTests : IDisposable
{
    private const int Range = VersionFetch.RangeBytes;

    private readonly DeliveryWorld _world = new();

    [Fact]
    public async Task A_version_is_fetched_once_and_is_byte_for_byte_what_was_pushed()
    {
        await _world.PushAsync("1", ("model.onnx", 1, 2 * Range + 17), ("onnx/empty.bin", 2, 0), ("tokenizer.json", 3, 5));

        using (var first = await _world.FetchAsync("1"))
        {
            Assert.Equal(DeliveryWorld.Content(1, 2 * Range + 17), await File.ReadAllBytesAsync(Path.Combine(first.Path, "model.onnx")));
            Assert.Empty(await File.ReadAllBytesAsync(Path.Combine(first.Path, "onnx", "empty.bin")));
            Assert.Equal(DeliveryWorld.Model, Path.GetFileName(first.Path));
        }

        var reads = _world.Store.Reads.Count;
        Assert.Equal(4, reads);
        using var again = await _world.FetchAsync("1");
        Assert.Equal(reads, _world.Store.Reads.Count);
    }

    [Fact]
    public async Task Files_that_another_version_has_are_linked_and_not_fetched_again()
    {
        await _world.PushAsync("1", ("weights.bin", 1, Range), ("config.json", 2, 100));
        await _world.PushAsync("2", ("moved/weights.bin", 1, Range), ("config.json", 3, 100));
        using CachedVersion first = await _world.FetchAsync("1"), second = await _world.FetchAsync("2");

        Assert.Equal(["config.json"],
            _world.Store.Reads.Select(read => read.Name).Where(name => name.Contains("/2/", StringComparison.Ordinal)).Select(Path.GetFileName));
        Assert.Equal(DeliveryWorld.Content(1, Range), await File.ReadAllBytesAsync(Path.Combine(second.Path, "moved", "weights.bin")));
        using var again = await _world.FetchAsync("2");
        Assert.Equal((Range + 100, 100, 0), (first.FetchedBytes, second.FetchedBytes, again.FetchedBytes));
        Assert.Equal("1 MB of 5 MB, as the rest was on this machine", second.Transferred);
        Assert.Equal("5 MB", first.Transferred);
    }

    [Fact]
    public async Task Of_many_who_lack_a_version_one_fetches_it()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 3 * Range));

        // Each with its own cache object, as in processes of their own.
        var all = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => _world.FetchAsync("1", _world.Cache())));

        Assert.Equal(3, _world.Store.Reads.Count);
        Assert.Single(all.Select(one => one.Path).Distinct());
        foreach (var one in all) one.Dispose();
    }

    [Fact]
    public async Task A_content_that_is_not_the_manifests_is_never_there()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 2 * Range), ("config.json", 2, 100));
        var damaged = DeliveryWorld.Content(1, 2 * Range);
        damaged[Range + 5] ^= 1;
        await File.WriteAllBytesAsync(_world.InRepository("1", "weights.bin"), damaged);

        var fault = await Assert.ThrowsAsync<InvalidModelException>(() => _world.FetchAsync("1"));

        Assert.Contains("weights.bin of m 1 in the repository is not what its manifest says", fault.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(_world.CacheFolder, "versions")));
        // Nothing of it is of use: what is pushed instead is another version.
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(_world.CacheFolder, "partial")));
        await File.WriteAllBytesAsync(_world.InRepository("1", "weights.bin"), DeliveryWorld.Content(1, 2 * Range));
        using var mended = await _world.FetchAsync("1");
        Assert.Equal(DeliveryWorld.Content(1, 2 * Range), await File.ReadAllBytesAsync(Path.Combine(mended.Path, "weights.bin")));
    }

    [Fact]
    public async Task An_object_that_is_replaced_in_the_middle_gives_no_mixture()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 8 * Range));
        byte[] right = DeliveryWorld.Content(1, 8 * Range), other = DeliveryWorld.Content(9, 8 * Range);
        var reads = 0;
        _world.Store.Before = async (_, _, _) =>
        {
            // Twice, so that parts of both contents carry tags of their own.
            var read = Interlocked.Increment(ref reads);
            if (read is 3) await File.WriteAllBytesAsync(_world.InRepository("1", "weights.bin"), other);
            if (read is 12) await File.WriteAllBytesAsync(_world.InRepository("1", "weights.bin"), right);
            return false;
        };

        using var fetched = await _world.FetchAsync("1");

        Assert.Equal(right, await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
    }

    [Fact]
    public async Task A_wrong_range_is_noticed_and_its_file_fetched_again()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 3 * Range), ("config.json", 2, 100));
        var wrong = 1;
        _world.Store.Before = (name, _, into) =>
        {
            if (!name.EndsWith("weights.bin", StringComparison.Ordinal) || Interlocked.Decrement(ref wrong) != 0) return ValueTask.FromResult(false);
            into.Span.Clear();
            return ValueTask.FromResult(true);
        };

        using var fetched = await _world.FetchAsync("1");

        Assert.Equal(DeliveryWorld.Content(1, 3 * Range), await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
        Assert.Equal((6, 1), (Reads("weights.bin"), Reads("config.json")));
    }

    [Fact]
    public async Task A_range_that_fails_is_asked_for_again_and_a_lasting_fault_is_the_callers()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 2 * Range));
        var failures = 2;
        _world.Store.Before =
            (_, _, _) => Interlocked.Decrement(ref failures) >= 0 ? throw new TransportException("cut off") : ValueTask.FromResult(false);
        using (await _world.FetchAsync("1")) Assert.Equal(4, _world.Store.Reads.Count);

        await _world.PushAsync("2", ("weights.bin", 2, Range));
        _world.Store.Before = (_, _, _) => throw new TransportException("not allowed", isPermanent: true);
        Assert.Equal("not allowed", (await Assert.ThrowsAsync<TransportException>(() => _world.FetchAsync("2"))).Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cached_file_that_was_changed_or_cut_is_not_used(bool isCut)
    {
        await _world.PushAsync("1", ("weights.bin", 1, Range));
        string path;
        using (var first = await _world.FetchAsync("1")) path = Path.Combine(first.Path, "weights.bin");
        var content = DeliveryWorld.Content(1, Range);
        content[7] ^= 1;
        await File.WriteAllBytesAsync(path, isCut ? content[..100] : content);

        using var again = await _world.FetchAsync("1");

        Assert.Equal(DeliveryWorld.Content(1, Range), await File.ReadAllBytesAsync(Path.Combine(again.Path, "weights.bin")));
        Assert.Equal(2, _world.Store.Reads.Count);
    }

    [Fact]
    public async Task The_least_recently_used_versions_leave_and_never_one_in_use()
    {
        foreach (var i in Enumerable.Range(1, 4)) await _world.PushAsync($"{i}", ("weights.bin", i, 1000));
        var cache = _world.Cache(budget: 2500);
        using var first = await _world.FetchAsync("1", cache);
        using (await _world.FetchAsync("2", cache))
        {
            var full = await Assert.ThrowsAsync<IOException>(() => _world.FetchAsync("3", cache));
            Assert.Contains("There is no room for m 3", full.Message, StringComparison.Ordinal);
        }

        using (await _world.FetchAsync("3", cache))
        {
        }

        Assert.True(File.Exists(Path.Combine(first.Path, "weights.bin")));
        Assert.Equal(["1", "3"], Cached());
        using var fourth = await _world.FetchAsync("4", cache);
        Assert.Equal(["1", "4"], Cached());
    }

    [Fact]
    public async Task Who_opens_a_version_while_others_make_room_finds_it_and_fetches_nothing()
    {
        foreach (var i in Enumerable.Range(1, 12)) await _world.PushAsync($"{i}", ("weights.bin", i, 1000));
        (await _world.FetchAsync("1")).Dispose();
        var reads = _world.Store.Reads.Count(read => read.Name.Contains("/1/", StringComparison.Ordinal));

        // Each of the others looks at all versions, whether they are in use, before it is fetched.
        Task[] fetching = [.. Enumerable.Range(2, 11).Select(async i => (await _world.FetchAsync($"{i}")).Dispose())];
        while (!Task.WhenAll(fetching).IsCompleted) (await _world.FetchAsync("1")).Dispose();
        await Task.WhenAll(fetching);

        Assert.Equal(reads, _world.Store.Reads.Count(read => read.Name.Contains("/1/", StringComparison.Ordinal)));
    }

    public void Dispose() => _world.Dispose();

    private int Reads(string file) => _world.Store.Reads.Count(read => read.Name.EndsWith(file, StringComparison.Ordinal));

    private IEnumerable<string> Cached() => Directory.EnumerateFiles(_world.CacheFolder, VersionManifest.FileName, SearchOption.AllDirectories)
        .Select(path => VersionManifest.Read(File.ReadAllBytes(path), path).Version).Order(StringComparer.Ordinal);
}
