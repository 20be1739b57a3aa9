using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>What is the folder's own: how it is opened, and what is left in it.</summary>
public sealed class EmbeddedTransportTests : IAsyncDisposable
{
    private readonly EmbeddedFixture _fixture = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Database => Path.Combine(_fixture.Folder, "queue.db");

    public ValueTask DisposeAsync() => _fixture.DisposeAsync();

    [Fact]
    public async Task A_folder_that_cannot_be_written_is_named()
    {
        var file = Path.Combine(_fixture.Folder, "file");
        await File.WriteAllTextAsync(file, "x", Stop);
        await using EmbeddedTransport transport = new(Path.Combine(file, "data"), TimeProvider.System);
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await transport.OpenAsync(Stop));
        Assert.True(fault.IsPermanent);
        Assert.Contains($"'{Path.Combine(file, "data")}' can't be written", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_named_and_left_alone()
    {
        var content = string.Concat(Enumerable.Repeat("this is no database. ", 500));
        await File.WriteAllTextAsync(Database, content, Stop);
        Assert.Contains($"'{Database}' is no database", (await RefusedAsync()).Message, StringComparison.Ordinal);
        Assert.Equal(content, await File.ReadAllTextAsync(Database, Stop));
    }

    [Theory]
    [InlineData("PRAGMA user_version = 99", "another version of this program")]
    [InlineData("PRAGMA user_version = 1", "another version of this program")]
    [InlineData("CREATE TABLE others (id INTEGER)", "another program")]
    public async Task A_database_of_another_version_or_program_is_refused(string sql, string expected)
    {
        Execute(sql);
        Assert.Contains(expected, (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_whose_tables_are_others_is_refused_for_good()
    {
        await (await _fixture.ConnectAsync()).DisposeAsync();
        Execute("ALTER TABLE requests RENAME COLUMN token TO pledge");
        var refusal = await RefusedAsync();
        Assert.Contains($"'{Database}'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_database_is_noticed()
    {
        var transport = await _fixture.ConnectAsync();
        await transport.Queue.EnqueueAsync([.. Enumerable.Range(0, 500).Select(Request)], Stop);
        await transport.DisposeAsync();
        using (var file = File.OpenWrite(Database))
        {
            // Past the first pages, which hold the schema.
            file.Position = 100 << 10;
            file.Write(Enumerable.Repeat((byte)0xAA, 40 << 10).ToArray());
        }

        Assert.Contains("is damaged", (await RefusedAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Before_it_is_opened_it_can_only_be_disposed()
    {
        EmbeddedTransport transport = new(_fixture.Folder, TimeProvider.System);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await transport.Queue.EnqueueAsync([Request(0)], Stop));
        await transport.DisposeAsync();
        await transport.DisposeAsync();
        await Assert.ThrowsAsync<TransportException>(async () => await transport.Queue.EnqueueAsync([Request(0)], Stop));
    }

    [Fact]
    public async Task Many_processes_may_open_a_new_folder_at_once()
    {
        var transports = await Task.WhenAll(Enumerable.Range(0, 6).Select(async i =>
        {
            var transport = await _fixture.ConnectAsync();
            await transport.Queue.EnqueueAsync([Request(i)], Stop);
            return transport;
        }));
        var leases = await transports[0].Queue.LeaseAsync(WorkClass.Bulk, 10, TimeSpan.Zero, Stop);
        Assert.Equal(["0", "1", "2", "3", "4", "5"], leases.Select(lease => lease.Message.Request.Id.Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_process_with_a_wrong_clock_ends_no_lease()
    {
        var right = await _fixture.ConnectAsync();
        AheadClock skewed = new();
        skewed.Advance(TimeSpan.FromDays(1));
        await using EmbeddedTransport wrong = new(_fixture.Folder, skewed, _fixture.Options);
        await wrong.OpenAsync(Stop);

        await wrong.Queue.EnqueueAsync([Request(1)], Stop);
        var lease = Assert.Single(await right.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.Zero, Stop));
        Assert.InRange(lease.Age, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.Empty(await wrong.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.Zero, Stop));
        Assert.True(await lease.CompleteAsync(Stop));
    }

    [Fact]
    public async Task Replies_to_a_dead_gateway_go_with_age()
    {
        var worker = await _fixture.ConnectAsync();
        await worker.Replies.SendAsync("gone", [new Reply(new RequestId("a"), 1, 0, [])], Stop);
        await _fixture.ConnectAsync();
        Assert.Equal(1, _fixture.Number("SELECT COUNT(*) FROM replies"));
        await _fixture.PassAsync(_fixture.Options.ReplyAge * 1.1);
        await _fixture.ConnectAsync();
        Assert.Equal(0, _fixture.Number("SELECT COUNT(*) FROM replies"));
    }

    [Fact]
    public async Task What_killed_writers_left_goes_with_age()
    {
        await _fixture.ConnectAsync();
        string old = Path.Combine(_fixture.Folder, "store", ".new", "old"), young = Path.Combine(_fixture.Folder, "store", ".new", "young");
        await File.WriteAllTextAsync(old, "x", Stop);
        await File.WriteAllTextAsync(young, "x", Stop);
        File.SetLastWriteTimeUtc(old, _fixture.Clock.GetUtcNow().UtcDateTime.AddDays(-2));
        await _fixture.ConnectAsync();
        Assert.Equal([young], Directory.GetFiles(Path.GetDirectoryName(old)!));
    }

    [Fact]
    public async Task A_result_and_its_requests_end_are_one_transaction()
    {
        var worker = await _fixture.ConnectAsync();
        ResultStore results = new(worker.Store);
        await worker.Queue.EnqueueAsync([Request(1), Request(1), Request(2)], Stop);
        var leases = await worker.Queue.LeaseAsync(WorkClass.Bulk, 3, TimeSpan.Zero, Stop);
        Assert.Equal([false, false, false], leases.Select(lease => lease.HasResult));
        Assert.Equal(new Completion(IsFirst: true, IsOurs: true), await leases[0].CompleteAsync(Result("1", "first"), Stop));
        // The same request, enqueued twice: the first result stays.
        Assert.Equal(new Completion(IsFirst: false, IsOurs: true), await leases[1].CompleteAsync(Result("1", "second"), Stop));
        Assert.Equal("first", (await results.FindAsync(new RequestId("1"), Stop))!.Choices[0].Parts[0].Text);

        // A result too large for a row is left to the store.
        Assert.Null(await leases[2].CompleteAsync(Result("2", new string('x', RowObjectStore.MaxInRow)), Stop));
        Assert.False(await results.ExistsAsync(new RequestId("2"), Stop));
        await _fixture.PassAsync(_fixture.Options.LeaseTime * 1.1);
        await results.TryPutAsync(Result("2", "by another"), Stop);
        var again = Assert.Single(await worker.Queue.LeaseAsync(WorkClass.Bulk, 3, TimeSpan.Zero, Stop));
        Assert.True(again.HasResult);
        Assert.Equal(new Completion(IsFirst: false, IsOurs: false), await leases[2].CompleteAsync(Result("2", "late"), Stop));
        Assert.True(await again.CompleteAsync(Stop));
        Assert.Equal(0, _fixture.Number("SELECT COUNT(*) FROM requests"));
    }

    [Fact]
    public async Task An_id_that_no_object_can_have_is_left_to_the_store()
    {
        var worker = await _fixture.ConnectAsync();
        var request = Request(1);
        await worker.Queue.EnqueueAsync([request with { Request = request.Request with { Id = new RequestId("no name") } }], Stop);
        Assert.Null(Assert.Single(await worker.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.Zero, Stop)).HasResult);
    }

    [Fact]
    public async Task What_people_look_for_in_the_folder_is_a_file()
    {
        var store = (await _fixture.ConnectAsync()).Store;
        await store.PutAsync("jobs/order-7/result.json", new byte[1], PutCondition.Always, Stop);
        Assert.True(File.Exists(Path.Combine(_fixture.Folder, "store", "jobs", "order-7", "result.json")));
    }

    [Fact]
    public async Task A_folder_of_objects_is_no_object()
    {
        var store = (await _fixture.ConnectAsync()).Store;
        await store.PutAsync("a/b", new byte[1], PutCondition.Always, Stop);
        Assert.Null(await store.GetAsync("a", Stop));
        Assert.False(await store.ExistsAsync("a", Stop));
        Assert.False(await store.DeleteAsync("a", Stop));
        await Assert.ThrowsAsync<TransportException>(async () => await store.PutAsync("a", new byte[1], PutCondition.Always, Stop));
        await Assert.ThrowsAsync<TransportException>(async () => await store.PutAsync("a/b/c", new byte[1], PutCondition.Absent, Stop));
        Assert.Empty(Directory.GetFiles(Path.Combine(_fixture.Folder, "store", ".new")));
    }

    private static QueuedRequest Request(int i) =>
        new()
        {
            Request = new InferenceRequest { Id = new RequestId($"{i}"), Model = "m", Prompt = new Prompt.Text(new string('x', 1000)) },
            Class = WorkClass.Bulk
        };

    private static InferenceResult Result(string id, string text) =>
        new()
        {
            Id = new RequestId(id), Outcome = RequestOutcome.Finished,
            Choices = [new ChoiceResult([new TextPart(DeltaKind.Answer, text)], FinishReason.Stop)]
        };

    private async Task<TransportException> RefusedAsync()
    {
        await using EmbeddedTransport transport = new(_fixture.Folder, TimeProvider.System);
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await transport.OpenAsync(Stop));
        Assert.True(fault.IsPermanent);
        return fault;
    }

    private void Execute(string sql)
    {
        using var connection = _fixture.OpenDatabase();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
