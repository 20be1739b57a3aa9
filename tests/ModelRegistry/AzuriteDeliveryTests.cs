using Azure.Core;
using R1Serverless.Azure.Storage;
using R1Serverless.ModelRegistry;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Azure.Storage;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>The same over a blob container, with faults between the client library and the service.</summary>
public sealed class AzuriteDeliveryTests(AzuriteFixture azurite) : IDisposable
{
    private const int Range = VersionFetch.RangeBytes;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly DeliveryWorld _world = new();

    [Fact]
    public async Task A_version_comes_back_from_a_container_as_it_was_pushed()
    {
        var repository = await OpenAsync(await azurite.OptionsAsync());
        await _world.PushAsync(repository, "1", ("weights.bin", 1, 3 * Range + 5), ("onnx/config.json", 2, 0));
        await repository.ActivateAsync(DeliveryWorld.Model, "1", "me", DateTimeOffset.UnixEpoch, None);

        Assert.Equal((DeliveryWorld.Model, true),
            Assert.Single(await repository.ListAsync(None)) is var (model, _, isActive) ? (model, isActive) : default);
        Assert.Equal("1", (await repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value.Active.Version);
        using var fetched = await _world.FetchAsync("1", repository: repository);
        Assert.Equal(DeliveryWorld.Content(1, 3 * Range + 5), await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
    }

    [Fact]
    public async Task A_push_that_comes_too_late_changes_nothing_of_the_version()
    {
        BlobStore store = new(await azurite.OptionsAsync());
        await store.OpenAsync(None);
        await _world.AssertOneOfTwoPushesAsync(store);
    }

    [Fact]
    public async Task A_container_that_is_not_there_yet_is_said_with_what_to_do()
    {
        var options = await azurite.OptionsAsync();
        Assert.False(await new BlobStore(options).IsThereAsync(None));
        await OpenAsync(options);
        Assert.True(await new BlobStore(options).IsThereAsync(None));

        // Nobody else makes the usual container in this one.
        await using var empty = await Azurite.StartAsync(folder: null);
        var refused =
            await Assert.ThrowsAsync<TransportException>(() => RepositoryAddress.Parse(empty.ConnectionString).OpenAsync(TimeProvider.System, None));
        Assert.True(refused.IsPermanent);
        Assert.Contains("r1 model push", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("AccountKey", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_look_at_what_is_active_carries_the_tag_and_gets_304()
    {
        List<int> answers = [];
        var options = await azurite.OptionsAsync();
        var repository = await OpenAsync(options with
        {
            Http = new FaultyHttp(after: message =>
            {
                if (message.Request.Method == RequestMethod.Get && message.Request.Uri.Path.EndsWith("/active", StringComparison.Ordinal))
                    answers.Add(message.Response.Status);
            }),
        });
        await _world.PushAsync(repository, "1", ("weights.bin", 1, 10));
        await repository.ActivateAsync(DeliveryWorld.Model, "1", "me", DateTimeOffset.UnixEpoch, None);
        var tag = (await repository.FindActiveAsync(DeliveryWorld.Model, None))!.Value.Tag;
        answers.Clear();

        Assert.Null(await repository.FindActiveChangeAsync(DeliveryWorld.Model, tag, None));

        Assert.Equal([304], answers);
    }

    [Fact]
    public async Task A_body_that_ends_too_early_is_asked_for_again()
    {
        var cuts = 0;
        var options = await azurite.OptionsAsync();
        var repository = await OpenAsync(options with
        {
            Http = new FaultyHttp(after: message =>
            {
                if (IsPartOf(message, "weights.bin") && Interlocked.Increment(ref cuts) <= 4)
                    message.Response.ContentStream = new CutStream(message.Response.ContentStream!, 1000);
            }),
        });
        await _world.PushAsync(repository, "1", ("weights.bin", 1, 2 * Range));

        using var fetched = await _world.FetchAsync("1", repository: repository);

        Assert.True(cuts > 4);
        Assert.Equal(DeliveryWorld.Content(1, 2 * Range), await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
    }

    [Fact]
    public async Task A_blob_that_changes_in_the_middle_gives_no_mixture()
    {
        var parts = 0;
        var options = await azurite.OptionsAsync();
        BlobStore other = new(options);
        var right = DeliveryWorld.Content(1, 8 * Range);
        var name = "";
        var repository = await OpenAsync(options with
        {
            Http = new FaultyHttp(before: request =>
            {
                if (!IsPartOf(request, "weights.bin") || Interlocked.Increment(ref parts) is not (3 or 13)) return null;
                using MemoryStream content = new(parts < 13 ? DeliveryWorld.Content(2, right.Length) : right);
                other.PutAsync(name, content, None).AsTask().GetAwaiter().GetResult();
                return null;
            }),
        });
        var pushed = await _world.PushAsync(repository, "1", ("weights.bin", 1, 8 * Range));
        name = SharedRepository.ObjectOf(pushed, pushed.Files.Single());

        using var fetched = await _world.FetchAsync("1", repository: repository);

        Assert.True(parts > 13);
        Assert.Equal(right, await File.ReadAllBytesAsync(Path.Combine(fetched.Path, "weights.bin")));
    }

    public void Dispose() => _world.Dispose();

    private static bool IsPartOf(HttpMessage message, string file) => IsPartOf(message.Request, file);

    private static bool IsPartOf(Request request, string file) =>
        request.Method == RequestMethod.Get && request.Uri.Path.EndsWith($"/{file}", StringComparison.Ordinal);

    private static async Task<SharedRepository> OpenAsync(StorageOptions options)
    {
        BlobStore store = new(options);
        await store.OpenAsync(None);
        return new SharedRepository(store, "the container");
    }

    /// <summary>Ends as a connection does that breaks.</summary>
    private sealed class CutStream(Stream inner, int left) : Stream
    {
        private int _left = left;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken);
            _left -= read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
