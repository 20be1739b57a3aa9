using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelRegistry;
using R1Serverless.ModelRegistry.Updates;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage;
using R1Serverless.Tests.Engine.ModelHosting;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.ModelRegistry.Updates;

/// <summary>What a process makes of what it finds in its repository, look by look.</summary>
public sealed partial class ModelUpdatesTests : IAsyncDisposable
{
    private const string Model = "r1-nano";

    private static readonly PrecisionPreference Fp32 = new(Precision.Fp32);
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), Interval = TimeSpan.FromSeconds(10);

    private readonly DeliveryWorld _world = new();
    private readonly FakeTimeProvider _time = new();
    private readonly ConcurrentQueue<string> _said = new();
    private ModelHost? _host;
    private ModelUpdates? _updates;
    private DeliveredModels? _models;
    private DeliveredModel? _model;

    [Fact]
    public async Task A_repository_that_is_away_is_said_once_and_found_again()
    {
        await StartAsync("1");
        _world.Store.BeforeLook = () => throw new TransportException("the store can't be reached");
        await LooksUntilAsync(() => _said.Any(line => line.Contains("can't be reached", StringComparison.Ordinal)));
        for (var i = 0; i < 5; i++) await LookAsync();
        Assert.Single(_said, line => line.Contains("can't be reached", StringComparison.Ordinal));
        Assert.Equal([("1", VersionState.Active)], Versions);

        _world.Store.BeforeLook = () => { };
        await ActivateAsync("2");
        await LooksUntilAsync(() => Versions.SequenceEqual([("2", VersionState.Active)]));
    }

    [Fact]
    public async Task A_version_that_another_took_the_place_of_while_it_was_fetched_is_not_loaded()
    {
        await StartAsync("1");
        (var asked, var go) = HoldReadsOfTheSecond();
        await ActivateAsync("2", differs: true);
        await LooksUntilAsync(() => asked.IsCompleted);
        Assert.Equal([("1", VersionState.Active), ("2", VersionState.Fetching)], Versions);
        await ActivateAsync("3");
        go.SetResult();
        await LooksUntilAsync(() => Versions.SequenceEqual([("3", VersionState.Active)]));
        Assert.DoesNotContain(_said, line => line.StartsWith("Loaded r1-nano 2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_activation_ends_a_fetch()
    {
        await StartAsync("1");
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        // Never comes to an end by itself.
        _world.Store.Held = async (name, stop) =>
        {
            if (!name.Contains("/2/", StringComparison.Ordinal)) return;
            asked.TrySetResult();
            await Task.Delay(Timeout.Infinite, stop);
        };
        await ActivateAsync("2", differs: true);
        await LooksUntilAsync(() => asked.Task.IsCompleted);
        await _world.Repository.ActivateAsync(Model, "1", "tester", DateTimeOffset.UnixEpoch, None);
        await LooksUntilAsync(() => Versions.SequenceEqual([("1", VersionState.Active)]));
        await ActivateAsync("3");
        await LooksUntilAsync(() => Versions.SequenceEqual([("3", VersionState.Active)]));
    }

    [Fact]
    public async Task A_version_that_can_not_be_served_is_tried_again_when_it_is_activated_again_and_forgotten_when_the_old_one_is()
    {
        await StartAsync("1");
        await ActivateAsync("2", without: "tokenizer.json");
        await LooksUntilAsync(
            () => Versions.SequenceEqual([("1", VersionState.Active), ("2", VersionState.Failed)])
            && _said.Any(line => line.Contains("2 is not served", StringComparison.Ordinal)));
        Assert.Contains("lacks the file tokenizer.json", _updates!.Versions(Model)[1].Reason, StringComparison.Ordinal);
        var said = _said.Count;
        for (var i = 0; i < 5; i++) await LookAsync();
        Assert.Equal(said, _said.Count);
        // That the repository is away for a while is no other reason.
        _world.Store.BeforeLook = () => throw new TransportException("the store can't be reached");
        await LooksUntilAsync(() => _said.Count > said);
        _world.Store.BeforeLook = () => { };
        for (var i = 0; i < 5; i++) await LookAsync();
        Assert.Contains("lacks the file tokenizer.json", _updates!.Versions(Model)[1].Reason, StringComparison.Ordinal);
        said = _said.Count;
        await _world.Repository.ActivateAsync(Model, "2", "tester", DateTimeOffset.UnixEpoch, None);
        await LooksUntilAsync(() => _said.Count > said);

        await _world.Repository.ActivateAsync(Model, "1", "tester", DateTimeOffset.UnixEpoch, None);
        await LooksUntilAsync(() => Versions.SequenceEqual([("1", VersionState.Active)]));
    }

    [Fact]
    public async Task Another_activation_ends_a_wait_for_room_and_the_version_that_serves_goes_on()
    {
        await StartAsync("1", new ModelHostOptions { MemoryBytes = 0 });
        var busy = await _host!.PlaceAsync(Model, Fp32, None);
        await ActivateAsync("2");
        await LooksUntilAsync(() => Versions.SequenceEqual([("1", VersionState.Active), ("2", VersionState.Waiting)]));
        var held = _host.PlaceAsync(Model, Fp32, None).AsTask();
        await _world.Repository.ActivateAsync(Model, "1", "tester", DateTimeOffset.UnixEpoch, None);
        await LooksUntilAsync(() => held.IsCompleted && Versions.SequenceEqual([("1", VersionState.Active)]));
        Assert.Equal("1", (await held).Lease!.Variant.Folder.Version);
        (await held).Lease!.Dispose();
        busy.Lease!.Dispose();
    }

    [Fact]
    public async Task A_version_that_found_no_room_waits_and_is_tried_again_when_it_is_time()
    {
        await StartAsync("1", new ModelHostOptions { MemoryBytes = 0, RunDry = TimeSpan.Zero, RetrySwap = TimeSpan.FromMinutes(5) });
        var busy = await _host!.PlaceAsync(Model, Fp32, None);
        await ActivateAsync("2");
        await LooksUntilAsync(() => _said.Any(line => line.Contains("2 is not served yet", StringComparison.Ordinal)));
        Assert.Equal([("1", VersionState.Active), ("2", VersionState.Waiting)], Versions);
        busy.Lease!.Dispose();
        var since = _time.GetTimestamp();
        await LooksUntilAsync(() => Versions.SequenceEqual([("2", VersionState.Active)]));
        Assert.True(_time.GetElapsedTime(since) > TimeSpan.FromMinutes(4), $"tried again after {_time.GetElapsedTime(since)}");
        Assert.Single(_said, line => line.Contains("2 is not served yet", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_version_that_was_replaced_may_leave_the_cache_once_its_requests_have_ended()
    {
        await StartAsync("1");
        var old = _model!.Serving;
        CacheFolders folders = new(_world.CacheFolder);
        var busy = await _host!.PlaceAsync(Model, Fp32, None);
        await ActivateAsync("2");
        await LooksUntilAsync(() => Versions.SequenceEqual([("2", VersionState.Active)]));
        Assert.False(folders.TryRemove(old.Key));

        busy.Lease!.Dispose();
        await LooksUntilAsync(() => _updates!.Versions(Model).All(one => one.State != VersionState.Retiring));
        Assert.True(folders.TryRemove(old.Key));
        Assert.False(folders.TryRemove(_model.Serving.Key));
        // Not because nobody knows it any more.
        GC.KeepAlive(old);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Once_stopped_no_version_is_taken_not_even_one_that_is_being_fetched(bool isFetching)
    {
        await StartAsync("1");
        (var asked, var go) = HoldReadsOfTheSecond();
        if (!isFetching) _updates!.Stop();
        await ActivateAsync("2", differs: true);
        if (isFetching)
        {
            await LooksUntilAsync(() => asked.IsCompleted);
            _updates!.Stop();
        }

        go.SetResult();
        var watching = _updates!.Watching;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal("1", _model!.Serving.Version);
        Assert.Equal(isFetching, asked.IsCompleted);
        Assert.DoesNotContain(_said, line => line.StartsWith("Loaded r1-nano 2", StringComparison.Ordinal));
    }

    /// <summary>Ends when the first read of version 2 is asked for; that and all later ones wait.</summary>
    private (Task Asked, TaskCompletionSource Go) HoldReadsOfTheSecond()
    {
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously),
            go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _world.Store.Before = async (name, _, _) =>
        {
            if (!name.Contains("/2/", StringComparison.Ordinal)) return false;
            asked.TrySetResult();
            await go.Task;
            return false;
        };
        return (asked.Task, go);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _world.Dispose();
    }

    private async Task StopAsync()
    {
        if (_updates is not null) await _updates.DisposeAsync();
        if (_host is not null) await _host.DisposeAsync();
        _models?.Dispose();
    }

    private IEnumerable<(string Version, VersionState State)> Versions =>
        _updates!.Versions(Model).Where(one => one.State != VersionState.Retiring).Select(one => (one.Version, one.State));

    /// <param name="tight">What fp32, which is then usual, has no room for beside another version of itself; the memory is found here.</param>
    private async Task StartAsync(string version, ModelHostOptions? tight = null, double? accuracy = null)
    {
        await ActivateAsync(version, differs: version != "1", accuracy: accuracy);
        Said said = new() { OnLine = _said.Enqueue };
        VersionDelivery delivery =
            new(_world.Repository, _world.Cache(), new LastServedVersions(Path.Combine(_world.CacheFolder, "served")), said, _time);
        ModelHostOptions options = new() { MemoryBytes = 1L << 30, Progress = said, Warn = said.Report };
        EngineOptions engine = new() { KvMemory = 1 << 20 };
        StartRules rules = new(new PrecisionPreference { IsServerDefault = true }, options, engine, (_, _) => []);
        _models = await DeliveredModels.OpenAsync(delivery, [Model], _ => null, rules, None);
        _model = _models.Models[0];
        _host = new ModelHost(_models.Folders, options, new RuntimeOptions(), engine, TimeProvider.System);
        if (tight is not null)
        {
            options = tight with
            {
                MemoryBytes = _host.Status.Single(one => one.Variant.Precision == Precision.Fp32).MemoryBytes * 3 / 2,
                Progress = said
            };
            await _host.DisposeAsync();
            _host = new ModelHost(_models.Folders, options, new RuntimeOptions(), engine, TimeProvider.System);
            rules = rules with { Usual = Fp32 with { IsServerDefault = true } };
        }

        _updates = new ModelUpdates(delivery, _models.Models, _host, rules, Interval, said);
        await _updates.LoadAsync(Model, rules.Usual, None);
        _updates.Start();
    }

    /// <param name="differs">By a file of its own, which has to be fetched.</param>
    /// <param name="without">A file that is left out.</param>
    /// <param name="accuracy">As measured of all its variants.</param>
    private async Task ActivateAsync(string version, bool differs = false, string? without = null, double? accuracy = null,
        bool mayBeLessAccurate = false)
    {
        var folder = Directory.CreateTempSubdirectory("r1-updates-").FullName;
        try
        {
            foreach (var file in Directory.EnumerateFiles(TestModels.Nano.Path))
            {
                if (Path.GetFileName(file) != without) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            if (accuracy is { } known)
            {
                var manifest = ModelFolder.Open(folder).Manifest;
                (manifest with
                {
                    Variants =
                    [.. manifest.Variants.Select(
                    variant => variant with { Evaluations = [Measured.On("cpu", 0, 1000) with { Accuracy = known }] })]
                })
                    .Save(Path.Combine(folder, ModelManifest.FileName));
            }

            if (differs) await File.WriteAllTextAsync(Path.Combine(folder, "note.txt"), version, None);
            await new VersionPush(_world.Repository, TimeProvider.System).RunAsync(Model, folder, version, "tester", progress: null, None);
            await _world.Repository.ActivateAsync(Model, version, "tester", DateTimeOffset.UnixEpoch, None, mayBeLessAccurate);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Lets the time of one look pass, and what it does begin.</summary>
    private async Task LookAsync()
    {
        _time.Advance(Interval * 1.3);
        for (var i = 0; i < 20; i++) await Task.Yield();
    }

    private async Task LooksUntilAsync(Func<bool> holds)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < Patience, $"{string.Join(' ', Versions)}; {string.Join('\n', _said)}");
            await LookAsync();
        }
    }
}
