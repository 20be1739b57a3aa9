using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.ModelLoading;
using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Serving;
using R1Serverless.Tests.Engine.ModelHosting;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>Who uses a version, and who only seems to.</summary>
public sealed class CacheUseTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly DeliveryWorld _world = new();
    private readonly HandMadeModels _models = new();

    [Fact]
    public async Task A_version_that_is_used_by_its_path_stays()
    {
        foreach (var i in Enumerable.Range(1, 2)) await _world.PushAsync($"{i}", ("weights.bin", i, 1000));
        var cache = _world.Cache(budget: 1500);
        string path = await PathOfAsync("1", cache), link = Path.Combine(_world.RepositoryFolder, "link");
        Directory.CreateSymbolicLink(link, path);

        foreach (var named in (string[])[path, path + Path.DirectorySeparatorChar, link])
        {
            using (await CacheUse.OfModelAsync(named, TimeProvider.System, None))
                await Assert.ThrowsAsync<IOException>(() => _world.FetchAsync("2", cache));
            Assert.True(Directory.Exists(path));
        }

        (await _world.FetchAsync("2", cache)).Dispose();
        Assert.False(Directory.Exists(path));
        Assert.Null(await CacheUse.OfModelAsync(path, TimeProvider.System, None));
        Assert.Null(await CacheUse.OfModelAsync(_world.RepositoryFolder, TimeProvider.System, None));
    }

    [Fact]
    public async Task A_version_that_is_served_by_its_path_stays_until_the_engine_has_ended()
    {
        var path = await FetchModelAsync();
        ServeOptions options =
            new() { Models = [path], DataFolder = _world.CacheFolder, MemoryBytes = 1L << 30, KeyValueMemoryBytes = 1 << 20, WarmsUp = false };

        var loaded = await LocalModels.LoadAsync(options, new Said(), None);

        Assert.True(CacheUse.IsHeld(UseFile(path)));
        await Assert.IsAssignableFrom<IAsyncDisposable>(loaded.Inference).DisposeAsync();
        Assert.False(CacheUse.IsHeld(UseFile(path)));
    }

    [Fact]
    public async Task A_version_that_can_not_be_served_by_its_path_is_given_back()
    {
        var path = await FetchModelAsync();
        ServeOptions options = new() { Models = [path, Path.Combine(_world.RepositoryFolder, "none")], DataFolder = _world.CacheFolder };

        await Assert.ThrowsAsync<InvalidModelException>(() => LocalModels.LoadAsync(options, new Said(), None));

        Assert.False(CacheUse.IsHeld(UseFile(path)));
    }

    [Fact]
    public async Task Preparing_a_version_by_its_path_uses_it()
    {
        var path = await FetchModelAsync();
        File.SetLastWriteTimeUtc(UseFile(path), DateTime.UnixEpoch);

        Assert.Equal(0, await ModelPrepareCommand.Create().Parse([path]).InvokeAsync());

        Assert.NotEqual(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(UseFile(path)));
        Assert.False(CacheUse.IsHeld(UseFile(path)));
    }

    [Fact]
    public async Task Who_is_cancelled_while_a_version_is_looked_at_does_not_use_it()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 1000));
        var path = await PathOfAsync("1", _world.Cache());
        // It is held against its hash again.
        File.SetLastWriteTimeUtc(Path.Combine(path, "weights.bin"), DateTime.UnixEpoch);
        var found = (await _world.Repository.FindAsync(DeliveryWorld.Model, "1", None))!.Value;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _world.Cache().OpenAsync(_world.Repository, found, progress: null, new CancellationToken(canceled: true)));

        Assert.False(CacheUse.IsHeld(UseFile(path)));
    }

    [Fact]
    public async Task Who_locks_what_another_has_removed_removes_nothing_that_has_taken_its_place()
    {
        await _world.PushAsync("1", ("weights.bin", 1, 1000));
        var path = await PathOfAsync("1", _world.Cache());
        // Opened, and locked only after the version was removed and fetched again.
        FileStream late = new(UseFile(path), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Directory.Move(Path.GetDirectoryName(path)!, Path.Combine(_world.CacheFolder, "trash", "old"));
        using var again = await _world.FetchAsync("1");

        Assert.False(new CacheFolders(_world.CacheFolder).TryRemove(again.Key, late));

        Assert.Equal(path, again.Path);
        Assert.True(File.Exists(Path.Combine(path, "weights.bin")));
    }

    public void Dispose()
    {
        _models.Dispose();
        _world.Dispose();
    }

    private static string UseFile(string path) => Path.Combine(Path.GetDirectoryName(path)!, CacheFolders.UseFile);

    private async Task<string> PathOfAsync(string version, ModelCache cache)
    {
        using var fetched = await _world.FetchAsync(version, cache);
        return fetched.Path;
    }

    /// <summary>A model that can be loaded, in the cache, by its path.</summary>
    private async Task<string> FetchModelAsync()
    {
        await new VersionPush(_world.Repository, TimeProvider.System).RunAsync(DeliveryWorld.Model,
            _models.Make(DeliveryWorld.Model, Precision.Fp32).Path, "1", "tester", progress: null, None);
        return await PathOfAsync("1", _world.Cache());
    }
}
