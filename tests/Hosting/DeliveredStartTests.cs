using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Engine.ModelHosting;

namespace R1Serverless.Tests.Hosting;

/// <summary>Starts with models from a repository in which not everything is well.</summary>
public sealed partial class DeliveredStartTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-start-").FullName;
    private readonly HandMadeModels _models = new();
    private readonly Said _said = new();
    private int _made;

    private string Repository => Path.Combine(_folder, "repository");

    [Fact]
    public async Task A_version_whose_evaluation_the_fleet_refuses_serves_no_start_either()
    {
        await PushAsync("m", "1", variant => Accurate(variant, 0.95));
        await StartAndStopAsync(new ServeOptions());
        await PushAsync("m", "2", variant => Accurate(variant, 0.5));
        await using (var started = await StartAsync(new ServeOptions()))
        {
            Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], started.Versions("m"));
            Assert.Equal(1, started.Failures("m"));
            Assert.Contains(_said.Lines,
                line => line.StartsWith("m 2 is not served: its fp32 variant answers 50 % right, 45 points below", StringComparison.Ordinal));
            Assert.Equal("1", await started.AnswerAsync("m"));
        }

        var repository = await RepositoryAddress.Parse(Repository).OpenAsync(TimeProvider.System, None);
        await repository.ActivateAsync("m", "2", "tester", DateTimeOffset.UnixEpoch, None, mayBeLessAccurate: true);
        await using var less = await StartAsync(new ServeOptions());
        Assert.Equal([("2", VersionState.Active)], less.Versions("m"));
    }

    [Fact]
    public async Task A_version_that_is_damaged_or_does_not_load_leaves_the_one_that_was_served_last()
    {
        await PushAsync("m", "1");
        await StartAndStopAsync(new ServeOptions());
        await PushAsync("m", "2", damage: folder => File.Delete(Path.Combine(folder, ModelFiles.TokenizerFile)));
        await using (var damaged = await StartAsync(new ServeOptions { Models = ["m"] }))
        {
            Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], damaged.Versions("m"));
            Assert.Equal(1, damaged.Failures("m"));
            Assert.Contains(_said.Lines, line => line.StartsWith("m 2 is not served: ", StringComparison.Ordinal)
                && line.EndsWith("m 1, which was served here last, is served from the cache meanwhile.", StringComparison.Ordinal));
        }

        await PushAsync("m", "3", damage: Cut);
        await using var started = await StartAsync(new ServeOptions { Models = ["m"] });
        Assert.Equal([("1", VersionState.Active), ("3", VersionState.Failed)], started.Versions("m"));
        Assert.Equal(1, started.Failures("m"));
        Assert.Contains(_said.Lines, line => line.StartsWith("m 3 is not served: ", StringComparison.Ordinal)
            && line.EndsWith("1, which was served here last, is served.", StringComparison.Ordinal));
        Assert.Equal("1", await started.AnswerAsync("m"));
    }

    [Fact]
    public async Task A_version_that_does_not_fit_into_the_memory_leaves_the_one_before()
    {
        await PushAsync("m", "1");
        await StartAndStopAsync(new ServeOptions());
        await PushAsync("m", "2", variant => variant with { Bytes = 1L << 40 });
        await using var started = await StartAsync(new ServeOptions());
        Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], started.Versions("m"));
        Assert.Contains(_said.Lines, line => line.StartsWith("m 2 is not served: even the smallest variant of m needs", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_version_whose_marks_do_not_fit_together_leaves_the_one_before_and_models_that_do_not_start_with_what_has_room()
    {
        ModelVariant Marked(ModelVariant variant) => variant with { Bytes = 600 << 20, Preload = true };
        await PushAsync("m", "1", Marked);
        await StartAndStopAsync(new ServeOptions());
        await PushAsync("m", "2", Marked, Precision.Fp32, Precision.Int8);
        await using (var alone = await StartAsync(new ServeOptions { Models = ["m"] }))
        {
            Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], alone.Versions("m"));
            Assert.Contains(_said.Lines, line => line.StartsWith("m 2 is not served: what is to be loaded at the start needs 1202 MiB with its keys "
                + "and values (m fp32 601 MiB, m int8 601 MiB), and models may take 1024 MiB", StringComparison.Ordinal));
        }

        await PushAsync("other", "1", Marked);
        await using var both = await StartAsync(new ServeOptions { Models = ["m", "other"] });
        Assert.Contains(_said.Lines,
            line => line.EndsWith("a manifest's marks count). When it is asked for, this is loaded in another's place: other fp32.",
            StringComparison.Ordinal));
        Assert.Equal(["m"], both.Loaded);
        Assert.Equal("1", await both.AnswerAsync("other"));
    }

    [Fact]
    public async Task A_version_that_there_is_no_room_for_in_the_cache_leaves_the_one_before()
    {
        await PushAsync("m", "1");
        await StartAndStopAsync(new ServeOptions());
        await PushAsync("m", "2", damage: folder => File.WriteAllBytes(Path.Combine(folder, "more.bin"), new byte[1 << 20]));
        var room = new DirectoryInfo(TestModels.Nano.Path).EnumerateFiles().Sum(file => file.Length) + (1 << 19);
        await using var started = await StartAsync(new ServeOptions { ModelCacheBytes = room });
        Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], started.Versions("m"));
        Assert.Contains(_said.Lines, line => line.StartsWith("m 2 is not served: There is no room for m 2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_version_without_the_precision_of_this_server_leaves_the_one_before_and_without_one_to_load_what_is_usual_is()
    {
        await PushAsync("m", "1", variant => variant, Precision.Fp32, Precision.Int8);
        await StartAndStopAsync(new ServeOptions { Precision = Precision.Int8 });
        await PushAsync("m", "2");
        await using (var started = await StartAsync(new ServeOptions { Precision = Precision.Int8 }))
        {
            Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], started.Versions("m"));
            Assert.Equal("1", await started.AnswerAsync("m"));
        }

        await using var lacking = await StartAsync(new ServeOptions { Load = ["m:int8"] });
        Assert.Equal([("2", VersionState.Active)], lacking.Versions("m"));
        Assert.Contains("m 2 has no int8 variant to be loaded at the start: what is usual is loaded in its place.", _said.Lines);
        await Assert.ThrowsAsync<ModelLoadException>(() => StartAsync(new ServeOptions { Load = ["m:typo"] }));
    }

    [Fact]
    public async Task While_the_repository_is_away_what_was_served_last_is_and_what_is_active_is_found_when_it_comes_back()
    {
        await PushAsync("m", "1");
        var away = Repository + ".away";
        Directory.Move(Repository, away);
        // Nothing is in the cache yet.
        Assert.Contains("it is not mounted", (await Assert.ThrowsAsync<TransportException>(() => StartAsync(new ServeOptions()))).Message,
            StringComparison.Ordinal);
        Directory.Move(away, Repository);
        await StartAndStopAsync(new ServeOptions());

        await PushAsync("m", "2");
        Directory.Move(Repository, away);
        await using var started = await StartAsync(new ServeOptions { ModelsPoll = TimeSpan.FromMilliseconds(50) });
        Assert.Equal([("1", VersionState.Active)], started.Versions("m"));
        Assert.Equal("1", await started.AnswerAsync("m"));
        Assert.Contains(_said.Lines,
            line => line.StartsWith($"There is nothing at {Repository}", StringComparison.Ordinal)
            && line.EndsWith("m 1, which was served here last, is served from the cache meanwhile.", StringComparison.Ordinal));

        Directory.Move(away, Repository);
        await started.UntilAsync(() => started.Versions("m").SequenceEqual([("2", VersionState.Active)]));
    }

    [Fact]
    public async Task While_the_repository_is_away_the_version_that_took_anothers_place_is_what_was_served_last()
    {
        await PushAsync("m", "1");
        await using (var before = await StartAsync(new ServeOptions { ModelsPoll = TimeSpan.FromMilliseconds(50) }))
        {
            await PushAsync("m", "2");
            await before.UntilAsync(() => before.Versions("m").SequenceEqual([("2", VersionState.Active)]));
        }

        Directory.Move(Repository, Repository + ".away");
        await using var started = await StartAsync(new ServeOptions());
        Assert.Equal([("2", VersionState.Active)], started.Versions("m"));
        Assert.Equal("2", await started.AnswerAsync("m"));
    }

    [Fact]
    public async Task A_container_that_can_not_be_reached_is_waited_for_too_whatever_key_it_is_used_with()
    {
        await PushAsync("m", "1");
        await StartAndStopAsync(new ServeOptions());
        // Nobody listens there.
        RepositoryAddress Container(string signature) =>
            RepositoryAddress.Parse($"BlobEndpoint=http://127.0.0.1:9/account;SharedAccessSignature=sv=1&sig={signature}");
        ModelCache cache = new(DataFolder.Cache(_folder), ModelCache.DefaultBudget, TimeProvider.System);
        await Assert.ThrowsAsync<TransportException>(() => StartAsync(new ServeOptions { ModelsFrom = Container("abc") }));
        cache.LastServed(Container("abc").Key).Keep("m", cache.LastServed(RepositoryAddress.Parse(Repository).Key).Find("m")!);

        await using var started = await StartAsync(new ServeOptions { ModelsFrom = Container("def") });
        Assert.Equal([("1", VersionState.Active)], started.Versions("m"));
        Assert.Contains(_said.Lines,
            line => line.Contains("127.0.0.1:9", StringComparison.Ordinal)
            && line.EndsWith("is served from the cache meanwhile.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_what_is_active_can_not_be_read_what_was_served_last_is()
    {
        await PushAsync("m", "1");
        await StartAndStopAsync(new ServeOptions());
        string active = Path.Combine(Repository, "models", "m", "active"), content = await File.ReadAllTextAsync(active, None);
        await File.WriteAllTextAsync(active, "{", None);
        await using var started = await StartAsync(new ServeOptions());
        Assert.Equal([("1", VersionState.Active)], started.Versions("m"));
        Assert.Contains(_said.Lines, line => line.Contains("damaged: activate a version again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_activated_while_a_version_failed_to_load_is_tried_at_the_next_look()
    {
        await PushAsync("m", "1");
        await StartAndStopAsync(new ServeOptions());
        await PushAsync("m", "2", damage: Cut);
        var activated = false;
        // Between what the start found active and its way back.
        _said.OnLine = line =>
        {
            if (activated || !line.Contains("could not be loaded", StringComparison.Ordinal)) return;
            activated = true;
            PushAsync("m", "3").GetAwaiter().GetResult();
            PushAsync("m", "4").GetAwaiter().GetResult();
        };
        await using var started = await StartAsync(new ServeOptions { ModelsPoll = TimeSpan.FromMilliseconds(50) });
        Assert.True(activated);
        Assert.DoesNotContain(_said.Lines, line => line.StartsWith("Fetched m 3", StringComparison.Ordinal));
        await started.UntilAsync(() => started.Versions("m").SequenceEqual([("4", VersionState.Active)]));
    }

    [Fact]
    public async Task Where_none_was_served_before_the_start_fails_with_the_reason()
    {
        await PushAsync("m", "1");
        await PushAsync("m", "2", damage: folder => File.Delete(Path.Combine(folder, ModelFiles.TokenizerFile)));
        var fault = await Assert.ThrowsAsync<InvalidModelException>(() => StartAsync(new ServeOptions()));
        Assert.StartsWith("m 2 can't be served, and no other version was served on this machine before: ", fault.Message, StringComparison.Ordinal);
        Assert.Contains("lacks the file tokenizer.json", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _models.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static ModelVariant Accurate(ModelVariant variant, double accuracy) =>
        variant with { Evaluations = [Measured.On("cpu", drop: 0, speed: 1000) with { Accuracy = accuracy }] };

    /// <summary>The graphs end in the middle.</summary>
    private static void Cut(string folder)
    {
        foreach (var graph in Directory.EnumerateFiles(folder, "*.onnx"))
        {
            using FileStream stream = new(graph, FileMode.Open);
            stream.SetLength(stream.Length / 2);
        }
    }

    private Task PushAsync(string model, string version, Action<string> damage) =>
        PushAsync(model, version, variant => variant, damage, Precision.Fp32);

    /// <param name="precisions">fp32 alone where none is given.</param>
    private Task PushAsync(string model, string version, Func<ModelVariant, ModelVariant>? change = null, params Precision[] precisions) =>
        PushAsync(model, version, change ?? (variant => variant), _ => { }, precisions is [] ? [Precision.Fp32] : precisions);

    private async Task PushAsync(string model, string version, Func<ModelVariant, ModelVariant> change, Action<string> damage,
        params Precision[] precisions)
    {
        string path = _models.Make(model, change, precisions).Path, source = Path.Combine(_folder, $"source-{++_made}");
        Directory.Move(path, source);
        damage(source);
        var repository = await RepositoryAddress.Parse(Repository).CreateAsync(TimeProvider.System, None);
        await new VersionPush(repository, TimeProvider.System).RunAsync(model, source, version, "tester", progress: null, None);
        await repository.ActivateAsync(model, version, "tester", DateTimeOffset.UnixEpoch, None);
    }

    private async Task<Started> StartAsync(ServeOptions options, bool begins = true)
    {
        Started started = new(_said);
        try
        {
            options = options with
            {
                ModelsFrom = options.ModelsFrom ?? RepositoryAddress.Parse(Repository),
                DataFolder = options.DataFolder ?? _folder,
                MemoryBytes = 1L << 30,
                KeyValueMemoryBytes = 1 << 20,
                WarmsUp = false
            };
            started.Take(await LocalModels.LoadAsync(options, _said, None));
            if (begins) started.Begin();
            return started;
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }
    }

    private async Task StartAndStopAsync(ServeOptions options) => await (await StartAsync(options)).DisposeAsync();
}
