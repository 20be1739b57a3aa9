using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Batches;
using R1Serverless.Queues.Jobs;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues.Batches;

namespace R1Serverless.Tests.Queues.Jobs;

public sealed class InferenceJobsTests
{
    private const string Body = """{"model":"m","messages":[{"role":"user","content":"ask"}]}""";

    [Fact]
    public async Task An_inline_request_runs_once_however_often_it_comes()
    {
        await using BatchWorld world = new();
        var message = $$"""{"id":"order-7","custom_id":"mine","body":{{Body}}}""";
        var first = await HandleAsync(world, message);
        var second = await HandleAsync(world, message);
        Assert.Equal(first, second);
        world.StartDriver();
        var job = await world.UntilEndedAsync(first.Batch!);
        Assert.Equal(new BatchCounts(1, 1, 0), job.Counts);
        var result = await ReadAsync(world, "jobs/order-7/result.json");
        Assert.Equal("mine", result.GetProperty("custom_id").GetString());
        Assert.Equal("re: ask",
            result.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task A_job_may_begin_with_a_byte_order_mark()
    {
        await using BatchWorld world = new();
        Assert.NotNull((await HandleAsync(world, $$"""{{'\uFEFF'}}{"id":"order-8","body":{{Body}},"unknown":null}""")).Batch);
        Assert.NotNull((await HandleAsync(world, Encoding.UTF8.GetString(JobText.Read("\uFEFF{\"body\":" + Body + "}").Span))).Batch);
    }

    [Fact]
    public async Task An_inline_request_that_fails_has_its_error_as_its_result()
    {
        await using BatchWorld world = new();
        var outcome = await HandleAsync(world, """{"output":"jobs/here.json","body":{"model":"m","messages":[{"role":"user","content":"fail"}]}}""");
        world.StartDriver();
        await world.UntilEndedAsync(outcome.Batch!);
        Assert.Equal(400, (await ReadAsync(world, "jobs/here.json")).GetProperty("response").GetProperty("status_code").GetInt32());
    }

    [Theory]
    [InlineData(null, "jobs/big/output.jsonl", "jobs/big/errors.jsonl")]
    [InlineData("jobs/out/x.jsonl", "jobs/out/x.jsonl", "jobs/out/x.errors.jsonl")]
    public async Task A_file_of_requests_becomes_files_of_results(string? output, string results, string errors)
    {
        await using BatchWorld world = new();
        var lines = BatchWorld.Lines(50);
        lines[3] = BatchWorld.Line("id-3", "fail");
        await world.Store.PutAsync("jobs/big/in.jsonl", Encoding.UTF8.GetBytes(string.Join('\n', lines)), PutCondition.Always, default);
        var named = output is null ? "" : $",\"output\":\"{output}\"";
        var outcome =
            await HandleAsync(world,
            $$"""{"id":"big","input":"jobs/big/in.jsonl","endpoint":"/v1/chat/completions","completion_window":"2h"{{named}}}""");
        world.StartDriver();
        Assert.Equal(new BatchCounts(50, 49, 1), (await world.UntilEndedAsync(outcome.Batch!)).Counts);
        Assert.Equal(49, Encoding.UTF8.GetString((await world.Store.GetAsync(results, default))!.Content.Span).Count(c => c == '\n'));
        Assert.Equal("id-3", (await ReadAsync(world, errors)).GetProperty("custom_id").GetString());
    }

    [Fact]
    public async Task A_file_that_is_not_valid_tells_so_where_its_results_would_be()
    {
        await using BatchWorld world = new();
        await world.Store.PutAsync("jobs/bad.jsonl", "{}"u8.ToArray(), PutCondition.Always, default);
        var outcome = await HandleAsync(world, """{"id":"bad","input":"jobs/bad.jsonl","endpoint":"/v1/chat/completions"}""");
        world.StartDriver();
        Assert.Equal(BatchState.Failed, (await world.UntilEndedAsync(outcome.Batch!)).State);
        Assert.Equal("missing_required_parameter",
            (await ReadAsync(world, "jobs/bad/output.jsonl")).GetProperty("errors")[0].GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("{}", "either 'body'")]
    [InlineData("{\"body\":{},\"input\":\"files/x\"}", "either 'body'")]
    [InlineData("{\"body\":7}", "'body' must be an object")]
    [InlineData("{\"bdy\":{}}", "unknown field")]
    [InlineData("{\"id\":7,\"body\":{}}", "'id' must be a string")]
    [InlineData("{\"id\":\"../x\",\"body\":{}}", "'id' must be")]
    [InlineData("{\"input\":\"results/x.json\",\"endpoint\":\"/v1/completions\"}", "'input' must name")]
    [InlineData("{\"input\":\"jobs/../results/x\",\"endpoint\":\"/v1/completions\"}", "'input' must name")]
    [InlineData("{\"input\":\"jobs/none\"}", "'endpoint' must be")]
    [InlineData("{\"input\":\"jobs/none\",\"endpoint\":\"/v1/completions\"}", "no object")]
    [InlineData("{\"body\":{},\"output\":\"batches/x\"}", "'output' must name")]
    [InlineData("{\"body\":{},\"completion_window\":\"2d\"}", "'completion_window'")]
    [InlineData("{\"body\":{\"model\":\"m\",\"messages\":[]}}", "messages")]
    public async Task Messages_that_can_never_run_are_refused_with_the_reason(string message, string reason)
    {
        await using BatchWorld world = new();
        var outcome = await HandleAsync(world, message);
        Assert.Null(outcome.Batch);
        Assert.Contains(reason, outcome.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_listener_runs_what_is_dropped_and_puts_aside_what_can_not_run()
    {
        await using BatchWorld world = new();
        StoreJobQueue queue = new(world.Store, world.Time);
        await queue.EnqueueAsync(Encoding.UTF8.GetBytes($$"""{"id":"a","body":{{Body}}}"""), default);
        await world.Store.PutAsync("inference-jobs/dropped.json", "{"u8.ToArray(), PutCondition.Always, default);
        using CancellationTokenSource stop = new();
        var listening =
            new JobListener(queue, JobsOf(world), world.Time, NullLogger<JobListener>.Instance).RunAsync(stop.Token);
        world.StartDriver();
        await world.UntilAsync(async () =>
        {
            await world.WorkAsync();
            return world.Store.Names.Contains("jobs/a/result.json");
        });
        Assert.DoesNotContain(world.Store.Names, name => name.StartsWith(StoreJobQueue.Folder, StringComparison.Ordinal));
        var letter = await ReadAsync(world, "inference-jobs-poison/dropped.json");
        Assert.Equal(("the message is not valid JSON", "{"), (letter.GetProperty("reason").GetString(), letter.GetProperty("message").GetString()));
        await stop.CancelAsync();
        await listening;
    }

    private static async Task<JobOutcome> HandleAsync(BatchWorld world, string message) =>
        await JobsOf(world).HandleAsync("message-1", Encoding.UTF8.GetBytes(message), 1, default);

    private static InferenceJobs JobsOf(BatchWorld world) =>
        new(world.Store, new OpenAiBatches(null, world.Time), world.Time, NullLogger.Instance);

    private static async Task<JsonElement> ReadAsync(BatchWorld world, string name) =>
        JsonDocument.Parse((await world.Store.GetAsync(name, default))!.Content).RootElement;
}
