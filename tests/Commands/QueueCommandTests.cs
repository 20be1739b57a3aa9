using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Commands;

/// <summary>`r1 queue` as an operator runs it, over an embedded queue that the test fills.</summary>
public sealed class QueueCommandTests : IAsyncLifetime
{
    private const string Prompt = "a prompt that nobody else may read";
    private readonly string _data = Directory.CreateTempSubdirectory("r1-queue-").FullName;
    private Transport _transport = null!;

    public async ValueTask InitializeAsync()
    {
        _transport = Transports.Create(new TransportOptions { DataFolder = _data }, TimeProvider.System, NullLoggerFactory.Instance);
        await _transport.OpenAsync(CancellationToken.None);
        await _transport.Queue.EnqueueAsync(
            [Request("first", WorkClass.Interactive), Request("second", WorkClass.Interactive), Request("line", WorkClass.Bulk, "b1")],
            CancellationToken.None);
    }

    [Fact]
    public async Task Stats_tell_both_queues_as_a_table_and_as_json()
    {
        var table = await RunAsync("queue", "stats");
        Assert.Matches(@"interactive\s+all\s+2\s+0\s+[0-9.]+ s\s+0", table);
        Assert.Matches(@"bulk\s+all\s+1\s+0\s+[0-9.]+ s\s+0", table);
        Assert.Matches(@"interactive\s+m\s+2\s+0\s+[0-9.]+ s", table);
        JsonElement[] queues = [.. (await JsonAsync("queue", "stats")).GetProperty("queues").EnumerateArray()];
        Assert.Equal([("interactive", 2), ("bulk", 1)],
            queues.Select(one => (one.GetProperty("class").GetString(), one.GetProperty("waiting").GetInt32())));
        Assert.InRange(queues[0].GetProperty("oldest_age").GetDouble(), 0, 60);
        var model = Assert.Single(queues[0].GetProperty("models").EnumerateArray());
        Assert.Equal(("m", 2), (model.GetProperty("model").GetString(), model.GetProperty("waiting").GetInt32()));
    }

    [Fact]
    public async Task Peek_shows_the_oldest_and_never_a_prompt()
    {
        var table = await RunAsync("queue", "peek");
        Assert.Matches(@"interactive\s+first\s+m\s+–\s+0\s", table);
        Assert.Matches(@"bulk\s+line\s+m\s+b1\s+0\s", table);
        var one = Assert.Single((await JsonAsync("queue", "peek", "--class", "interactive", "--most", "1")).GetProperty("waiting").EnumerateArray());
        Assert.Equal(("first", JsonValueKind.Null), (one.GetProperty("request_id").GetString(), one.GetProperty("batch").ValueKind));
        Assert.DoesNotContain("nobody", table + one.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dead_letters_are_shown_with_their_reason_and_put_back()
    {
        Assert.Contains("No dead letters.", await RunAsync("queue", "dead-letters"), StringComparison.Ordinal);
        foreach (var lease in await _transport.Queue.LeaseAsync(WorkClass.Interactive, 2, TimeSpan.FromSeconds(5), CancellationToken.None))
            Assert.True(await lease.DeadLetterAsync("it broke [often]", CancellationToken.None));
        var table = await RunAsync("queue", "dead-letters");
        Assert.Matches(@"interactive\s+first\s+1\s.*it broke \[often\]", table);
        Assert.DoesNotContain("nobody", table, StringComparison.Ordinal);
        JsonElement[] letters = [.. (await JsonAsync("queue", "dead-letters")).GetProperty("dead_letters").EnumerateArray()];
        Assert.Equal(["it broke [often]", "it broke [often]"], letters.Select(letter => letter.GetProperty("reason").GetString()));

        Assert.Contains("interactive: 1 put back into the queue", await RunAsync("queue", "redrive", "--class", "interactive", "--most", "1"),
            StringComparison.Ordinal);
        Assert.Equal([1, 0],
            (await JsonAsync("queue", "redrive")).GetProperty("redriven").EnumerateArray().Select(one => one.GetProperty("count").GetInt32()));
        var now = await _transport.Queue.StatisticsAsync(WorkClass.Interactive, CancellationToken.None);
        Assert.Equal((2, 0), (now.Waiting, now.DeadLetters));
    }

    [Fact]
    public async Task What_is_put_back_can_end_anew_unless_it_has_ended_well()
    {
        ResultStore results = new(_transport.Store);
        foreach ((var id,
            var outcome) in ((string, RequestOutcome)[])[("first", RequestOutcome.DeadLettered), ("second", RequestOutcome.Finished)])
            Assert.True(await results.TryPutAsync(new InferenceResult { Id = new RequestId(id), Outcome = outcome }, CancellationToken.None));
        foreach (var lease in await _transport.Queue.LeaseAsync(WorkClass.Interactive, 2, TimeSpan.FromSeconds(5), CancellationToken.None))
            Assert.True(await lease.DeadLetterAsync("it broke", CancellationToken.None));
        Assert.Contains("interactive: 2 put back into the queue", await RunAsync("queue", "redrive"), StringComparison.Ordinal);
        Assert.Null(await results.FindAsync(new RequestId("first"), CancellationToken.None));
        Assert.Equal(RequestOutcome.Finished, (await results.FindAsync(new RequestId("second"), CancellationToken.None))!.Outcome);
    }

    [Theory]
    [InlineData("'all'", "queue", "stats", "--class", "all")]
    [InlineData("--most", "queue", "peek", "--most", "0")]
    [InlineData("R1_STORAGE", "queue", "stats", "--transport", "storage")]
    public async Task What_makes_no_sense_is_refused_in_words(string says, params string[] arguments)
    {
        var (code, _, errors) = await ModelCommandTests.RunAsync([.. arguments, "--data", _data]);
        Assert.Equal(1, code);
        Assert.Contains(says, errors, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await _transport.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    private static QueuedRequest Request(string id, WorkClass workClass, string? batch = null) => new()
    {
        Request = new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text(Prompt) }, Class = workClass, Batch = batch,
    };

    private async Task<string> RunAsync(params string[] arguments)
    {
        var (code, output, errors) = await ModelCommandTests.RunAsync([.. arguments, "--data", _data]);
        Assert.Equal((0, ""), (code, errors));
        return output;
    }

    private async Task<JsonElement> JsonAsync(params string[] arguments) => JsonDocument.Parse(await RunAsync([.. arguments, "--json"])).RootElement;
}
