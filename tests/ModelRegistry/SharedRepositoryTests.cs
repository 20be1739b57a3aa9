using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>Versions and which of them is active.</summary>
public sealed class SharedRepositoryTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly DateTimeOffset Now = new(2026, 11, 26, 19, 0, 0, TimeSpan.Zero);

    private readonly DeliveryWorld _world = new();

    [Fact]
    public async Task A_version_is_what_was_pushed_and_never_changes()
    {
        var pushed = await _world.PushAsync("1", ("model.onnx", 1, 1000), ("onnx/a.bin", 2, 50));

        Assert.Equal(["model.onnx", "onnx/a.bin"], pushed.Files.Select(file => file.Path));
        Assert.Equal(1050, pushed.Bytes);
        var (manifest, key) = (await _world.Repository.FindAsync(DeliveryWorld.Model, "1", None))!.Value;
        Assert.Equal(pushed.Files, manifest.Files);
        Assert.Equal(64, key.Length);
        var again = await Assert.ThrowsAsync<InvalidDataException>(() => _world.PushAsync("1", ("model.onnx", 3, 1000)));
        Assert.Contains("versions never change", again.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_push_that_broke_off_is_no_version_and_may_be_repeated()
    {
        var name = SharedRepository.PlaceOf(DeliveryWorld.Model, "1", "model.onnx");
        await _world.Store.PutAsync(name, new byte[10], PutCondition.Always, None);

        Assert.Null(await _world.Repository.FindAsync(DeliveryWorld.Model, "1", None));
        Assert.Empty(await _world.Repository.ListAsync(None));
        await Assert.ThrowsAsync<InvalidDataException>(() => _world.Repository.ActivateAsync(DeliveryWorld.Model, "1", "me", Now, None));
        await _world.PushAsync("1", ("model.onnx", 1, 1000));
        Assert.Equal("1", Assert.Single(Assert.Single(await _world.Repository.ListAsync(None)).Versions));
        Assert.False(await _world.Store.ExistsAsync(name, None));
    }

    [Fact]
    public async Task A_push_that_fails_leaves_nothing()
    {
        var puts = 0;
        _world.Store.BeforePut = () => ++puts == 2 ? throw new TransportException("cut off") : ValueTask.CompletedTask;

        await Assert.ThrowsAsync<TransportException>(() => _world.PushAsync("1", ("model.onnx", 1, 1000), ("weights.bin", 2, 1000)));

        Assert.Equal(2, puts);
        await foreach (var left in _world.Store.ListAsync("models/", None)) Assert.Fail(left.Name);
    }

    [Fact]
    public Task A_push_that_comes_too_late_changes_nothing_of_the_version() => _world.AssertOneOfTwoPushesAsync(_world.Store);

    [Fact]
    public async Task Activating_an_older_version_goes_back_to_it()
    {
        foreach (var version in (string[])["1", "2"]) await _world.PushAsync(version, ("model.onnx", 1, 1000));
        Assert.Null(await _world.Repository.FindActiveAsync(DeliveryWorld.Model, None));

        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "1", "ann", Now, None);
        var tag = (await _world.Repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value.Tag;
        Assert.Null(await _world.Repository.FindActiveChangeAsync(DeliveryWorld.Model, tag, None));
        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "2", "bob", Now, None);
        var (active, next) = (await _world.Repository.FindActiveChangeAsync(DeliveryWorld.Model, tag, None))!.Value;
        Assert.Equal(new ActiveVersion("2", Now, "bob", "1"), active);
        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "1", "ann", Now, None);
        active = (await _world.Repository.FindActiveChangeAsync(DeliveryWorld.Model, next, None))!.Value.Active;
        Assert.Equal(new ActiveVersion("1", Now, "ann", "2"), active);
    }

    [Fact]
    public async Task That_a_version_may_be_less_accurate_holds_until_it_is_activated_otherwise()
    {
        await _world.PushAsync("2", ("model.onnx", 1, 1000));
        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "2", "ann", Now, None, mayBeLessAccurate: true);
        Assert.True((await _world.Repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value.Active.LessAccurate);
        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "2", "ann", Now, None);
        Assert.False((await _world.Repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value.Active.LessAccurate);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"version\":")]
    [InlineData("""{"version":"../1","since":"2026-01-01T00:00:00Z","by":"x","previous":null}""")]
    public async Task What_is_active_can_be_set_again_where_it_is_damaged(string content)
    {
        await _world.PushAsync("1", ("model.onnx", 1, 1000));
        await PutActiveAsync(content);
        var fault = await Assert.ThrowsAsync<InvalidModelException>(() => _world.Repository.FindActiveAsync(DeliveryWorld.Model, None));
        Assert.Contains("activate", fault.Message, StringComparison.Ordinal);

        await _world.Repository.ActivateAsync(DeliveryWorld.Model, "1", "ann", Now, None);
        Assert.Equal("1", (await _world.Repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value.Active.Version);
    }

    [Theory]
    [InlineData(
        """{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"push-1","files":[{"path":"../../etc/passwd","bytes":1,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}""")]
    [InlineData(
        """{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"push-1","files":[{"path":"a","bytes":1,"sha256":"00"}]}""")]
    [InlineData("""{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"push-1","files":[]}""")]
    [InlineData(
        """{"format":2,"model":"other","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"push-1","files":[{"path":"a","bytes":1,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}""")]
    [InlineData("""{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"push-1","files":[null]}""")]
    [InlineData(
        """{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"push-1","files":[{"path":"a","bytes":9223372036854775807,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"},{"path":"b","bytes":9223372036854775807,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}""")]
    [InlineData(
        """{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","files":[{"path":"a","bytes":1,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}""")]
    [InlineData(
        """{"format":2,"model":"m","version":"1","pushed":"2026-01-01T00:00:00Z","pushed_by":"x","folder":"../2","files":[{"path":"a","bytes":1,"sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}""")]
    [InlineData("""{"format":9,"model":"m"}""")]
    [InlineData("""{"format":1,""")]
    public async Task A_manifest_that_cannot_be_is_refused(string json)
    {
        await _world.Store.PutAsync(SharedRepository.PlaceOf(DeliveryWorld.Model, "1", VersionManifest.FileName),
            System.Text.Encoding.UTF8.GetBytes(json), PutCondition.Always, None);

        await Assert.ThrowsAsync<InvalidModelException>(() => _world.Repository.FindAsync(DeliveryWorld.Model, "1", None));
    }

    [Fact]
    public async Task What_has_no_name_that_a_model_may_have_is_left_out_of_the_list()
    {
        await _world.PushAsync("1", ("model.onnx", 1, 1000));
        foreach (var folder in (string[])["[red]/versions/1", $"{DeliveryWorld.Model}/versions/[2]"])
        {
            var path = Path.Combine(_world.RepositoryFolder, "models", folder);
            Directory.CreateDirectory(path);
            await File.WriteAllTextAsync(Path.Combine(path, VersionManifest.FileName), "{}", None);
        }

        var (model, versions, _) = Assert.Single(await _world.Repository.ListAsync(None));
        Assert.Equal((DeliveryWorld.Model, "1"), (model, Assert.Single(versions)));
    }

    [Theory]
    [InlineData("https://account.blob.core.windows.net/models", "https://account.blob.core.windows.net/models")]
    [InlineData("UseDevelopmentStorage=true", "the container 'models' of the connection string")]
    public void An_address_is_a_container(string text, string description) => Assert.Equal(description, RepositoryAddress.Parse(text).Description);

    [Fact]
    public void Any_other_text_is_a_folder() => Assert.Equal(Path.GetFullPath("some/folder=x"), RepositoryAddress.Parse("some/folder=x").Description);

    [Theory]
    [InlineData("https://account.blob.core.windows.net/")]
    [InlineData("https://account.blob.core.windows.net/models/deeper")]
    [InlineData("https://account.blob.core.windows.net/models?sv=1&sig=abc")]
    [InlineData("https://user:abc@account.blob.core.windows.net/models")]
    [InlineData("http://127.0.0.1:10000/devstoreaccount1/models")]
    public void What_can_be_no_repository_is_refused_without_its_secrets(string text) =>
        Assert.DoesNotContain("abc", Assert.Throws<TransportException>(() => RepositoryAddress.Parse(text)).Message, StringComparison.Ordinal);

    /// <summary>As the portal gives them for blobs alone.</summary>
    [Fact]
    public async Task A_connection_string_with_a_signature_for_blobs_is_taken()
    {
        var address = RepositoryAddress.Parse("BlobEndpoint=http://127.0.0.1:9/account;SharedAccessSignature=sv=1&sig=abc");
        // Nobody listens there.
        var fault = await Assert.ThrowsAsync<TransportException>(() => address.OpenAsync(TimeProvider.System, None));
        Assert.Contains("127.0.0.1:9", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("abc", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _world.Dispose();

    private async Task PutActiveAsync(string json) =>
        await _world.Store.PutAsync($"models/{DeliveryWorld.Model}/active", System.Text.Encoding.UTF8.GetBytes(json), PutCondition.Always, None);
}
