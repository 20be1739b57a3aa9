using R1Serverless.ModelRegistry;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>A repository in a folder that is a share: what is missing because nothing is mounted.</summary>
public sealed class MountedFolderTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly DeliveryWorld _world = new();

    private string Models => Path.Combine(_world.RepositoryFolder, "models");

    private SharedRepository Repository => RepositoryAddress.Parse(_world.RepositoryFolder).Await(TimeProvider.System);

    [Fact]
    public async Task An_empty_mount_point_is_no_empty_repository()
    {
        await _world.PushAsync("1", ("graph", 1, 1000));
        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "1", "me", DateTimeOffset.UnixEpoch, None);
        var (_, tag) = (await Repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value;
        Assert.Null(await Repository.FindActiveAsync("other", None));
        Assert.Null(await Repository.FindAsync(DeliveryWorld.Model, "2", None));

        Directory.Move(Models, Models + ".away");
        foreach (var call in (Func<Task>[])[
                     () => Repository.ListAsync(None), () => Repository.FindActiveAsync(DeliveryWorld.Model, None),
                         () => Repository.FindActiveChangeAsync(DeliveryWorld.Model, tag, None),
                     () => Repository.FindAsync(DeliveryWorld.Model, "1", None),
                         () => RepositoryAddress.Parse(_world.RepositoryFolder).OpenAsync(TimeProvider.System, None)])
        {
            Assert.Contains("it is not mounted", (await Assert.ThrowsAsync<TransportException>(call)).Message, StringComparison.Ordinal);
        }

        Directory.Move(Models + ".away", Models);
        Assert.Null(await Repository.FindActiveChangeAsync(DeliveryWorld.Model, tag, None));
    }

    [Fact]
    public async Task A_share_that_goes_away_amid_a_fetch_is_away_and_what_was_fetched_counts_when_it_is_back()
    {
        var pushed = await _world.PushAsync("1", ("graph", 1, 3 * VersionFetch.RangeBytes));
        WatchedStore store = new(Repository.Store);
        SharedRepository repository = new(store, "the share");
        var read = 0;
        store.Before = (_, _, _) =>
        {
            if (Interlocked.Increment(ref read) == 2) Directory.Move(Models, Models + ".away");
            return ValueTask.FromResult(false);
        };
        var fault = await Assert.ThrowsAsync<TransportException>(() => _world.FetchAsync("1", repository: repository));
        Assert.Contains("it is not mounted", fault.Message, StringComparison.Ordinal);

        Directory.Move(Models + ".away", Models);
        store.Before = null;
        using var fetched = await _world.FetchAsync("1", repository: repository);
        Assert.Equal(pushed.Bytes, new FileInfo(Path.Combine(fetched.Path, "graph")).Length);
    }

    public void Dispose() => _world.Dispose();
}
