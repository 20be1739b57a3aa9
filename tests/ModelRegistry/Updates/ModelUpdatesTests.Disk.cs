using R1Serverless.Abstractions;

namespace R1Serverless.Tests.ModelRegistry.Updates;

/// <summary>Versions that the disk has no room for.</summary>
public sealed partial class ModelUpdatesTests
{
    [Fact]
    public async Task A_full_disk_is_tried_again_at_the_next_look_and_said_once()
    {
        await StartAsync("1");
        var isFull = true;
        _world.Store.Before =
            (name, _, _) => isFull && name.Contains("/2/", StringComparison.Ordinal) ? throw new IOException("No space left on device", 28)
            : ValueTask.FromResult(false);
        await ActivateAsync("2", differs: true);
        await LooksUntilAsync(() => Versions.SequenceEqual([("1", VersionState.Active), ("2", VersionState.Failed)]));
        Assert.Contains("There is no room for r1-nano 2", _updates!.Versions(Model)[1].Reason, StringComparison.Ordinal);
        isFull = false;
        await LooksUntilAsync(() => Versions.SequenceEqual([("2", VersionState.Active)]));
    }

    [Fact]
    public async Task A_disk_that_was_full_at_the_start_is_tried_again_at_the_next_look()
    {
        await StartAsync("1");
        await StopAsync();
        var isFull = true;
        _world.Store.Before =
            (name, _, _) => isFull && name.Contains("/2/", StringComparison.Ordinal) ? throw new IOException("No space left on device", 28)
            : ValueTask.FromResult(false);
        await StartAsync("2");
        for (var i = 0; i < 5; i++) await LookAsync();
        Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], Versions);
        Assert.Single(_said, line => line.StartsWith("r1-nano 2 is not served: There is no room", StringComparison.Ordinal));
        isFull = false;
        await LooksUntilAsync(() => Versions.SequenceEqual([("2", VersionState.Active)]));
    }
}
