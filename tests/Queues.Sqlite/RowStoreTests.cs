using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>Objects that are rows hold to the contract whatever their names and sizes.</summary>
public sealed class RowStoreTests : ObjectStoreContract
{
    private const int Large = RowObjectStore.MaxInRow + 1;

    private string Files => Path.Combine(((RowsFixture)Fixture).Folder, "large");

    [Theory]
    [InlineData(Large - 1, 0)]
    [InlineData(Large, 1)]
    public async Task Only_a_large_object_has_a_file(int bytes, int files)
    {
        var content = new byte[bytes];
        Random.Shared.NextBytes(content);
        await Gateway.Store.PutAsync("a", content, PutCondition.Absent, Stop);
        Assert.Equal(files, Directory.GetFiles(Files).Length);
        Assert.Equal(content, (await Worker.Store.GetAsync("a", Stop))!.Content.ToArray());
    }

    [Fact]
    public async Task A_large_objects_file_goes_with_it()
    {
        var store = Gateway.Store;
        var tag = (await store.PutAsync("a", new byte[Large], PutCondition.Always, Stop))!;
        Assert.Null(await store.PutAsync("a", new byte[Large], PutCondition.Absent, Stop));
        Assert.NotNull(await store.PutAsync("a", new byte[Large + 1], PutCondition.Unchanged(tag), Stop));
        Assert.Null(await store.PutAsync("a", new byte[Large], PutCondition.Unchanged(tag), Stop));
        Assert.Equal(Large + 1, new FileInfo(Assert.Single(Directory.GetFiles(Files))).Length);
        await store.PutAsync("a", new byte[1], PutCondition.Always, Stop);
        Assert.Empty(Directory.GetFiles(Files));
        await store.PutAsync("a", new byte[Large], PutCondition.Always, Stop);
        Assert.True(await Worker.Store.DeleteAsync("a", Stop));
        Assert.Empty(Directory.GetFiles(Files));
    }

    [Fact]
    public async Task A_file_that_somebody_deleted_is_told_from_no_object()
    {
        await Gateway.Store.PutAsync("a", new byte[Large], PutCondition.Always, Stop);
        var file = Assert.Single(Directory.GetFiles(Files));
        File.Delete(file);
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await Gateway.Store.GetAsync("a", Stop));
        Assert.Contains($"'{file}' was deleted", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_that_no_object_has_go_with_age()
    {
        await Gateway.Store.PutAsync("a", new byte[Large], PutCondition.Always, Stop);
        string kept = Assert.Single(Directory.GetFiles(Files)), old = Path.Combine(Files, "old"), young = Path.Combine(Files, "young");
        await File.WriteAllTextAsync(old, "x", Stop);
        await File.WriteAllTextAsync(young, "x", Stop);
        foreach (var file in (string[])[kept, old]) File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch);
        await Fixture.ConnectAsync();
        Assert.Equal(((string[])[kept, young]).Order(), Directory.GetFiles(Files).Order());
    }

    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new RowsFixture());

    private sealed class RowsFixture : EmbeddedFixture
    {
        protected override Transport Create() => new RowsTransport(new EmbeddedTransport(Folder, TimeProvider.System, Options));
    }

    /// <summary>All objects are rows.</summary>
    private sealed class RowsTransport(EmbeddedTransport inner) : Transport
    {
        public override string Description => inner.Description;

        public override IRequestQueue Queue => inner.Queue;

        public override IReplyChannel Replies => inner.Replies;

        public override IObjectStore Store => inner.Rows;

        public override IJobQueue Jobs => inner.Jobs;

        public override ValueTask OpenAsync(CancellationToken cancellationToken) => inner.OpenAsync(cancellationToken);

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
