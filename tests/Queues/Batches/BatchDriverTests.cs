using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Tests.Queues.Batches;

public sealed class BatchDriverTests
{
    [Fact]
    public async Task A_batch_runs_from_its_file_to_its_files()
    {
        await using BatchWorld world = new();
        var lines = BatchWorld.Lines(100);
        lines[3] = BatchWorld.Line("id-3", "fail");
        lines[4] = BatchWorld.Line("id-4", more: ",\"temperature\":9");
        lines[5] = BatchWorld.Line("id-5", more: ",\"stream\":true");
        var created = await world.CreateAsync([.. lines, "", "  "]);
        world.StartDriver();
        var job = await world.UntilEndedAsync(created.Id);

        Assert.Equal(BatchState.Completed, job.State);
        Assert.Equal(new BatchCounts(100, 97, 3), job.Counts);
        var output = await world.ReadAsync(job.OutputFile);
        Assert.Equal(Enumerable.Range(0, 100).Except([3, 4, 5]).Select(i => $"id-{i}"), BatchWorld.Ids(output));
        var first = output[0];
        Assert.Equal($"batch_req_{created.Id}-1", first.GetProperty("id").GetString());
        Assert.Equal(JsonValueKind.Null, first.GetProperty("error").ValueKind);
        var response = first.GetProperty("response");
        Assert.Equal((200, $"{created.Id}-1"), (response.GetProperty("status_code").GetInt32(), response.GetProperty("request_id").GetString()));
        Assert.Equal("re: ask 0", response.GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("m", response.GetProperty("body").GetProperty("model").GetString());

        var errors = await world.ReadAsync(job.ErrorFile);
        Assert.Equal(["id-3", "id-4", "id-5"], BatchWorld.Ids(errors));
        Assert.Equal(
            [(400, "context_length_exceeded", "messages"), (400, "invalid_value", "temperature"), (400, "unsupported_parameter", "stream")],
            errors.Select(line => (line.GetProperty("response").GetProperty("status_code").GetInt32(), Error(line, "code"), Error(line, "param"))));
    }

    [Fact]
    public async Task Lines_whose_model_no_living_worker_has_end_at_once_and_the_others_run()
    {
        await using BatchWorld world = new();
        WorkerRegistrations registrations = new(world.Store);
        await registrations.PublishAsync(new WorkerRegistration("w", 1, [LeaseExtensions.Model("m")]), default);
        using WorkerDirectory workers = new(registrations, world.Time);
        var lines = BatchWorld.Lines(20);
        lines[3] = BatchWorld.Line("id-3").Replace("\"model\":\"m\"", "\"model\":\"none\"", StringComparison.Ordinal);
        lines[4] = BatchWorld.Line("id-4", more: ",\"precision\":\"int8\"");
        var created = await world.CreateAsync(lines);
        world.StartDriver(workers);
        // In step: a worker that time alone made silent would be a dead one.
        var job = await world.UntilEndedAsync(created.Id, inStep: true);

        Assert.Equal(new BatchCounts(20, 18, 2), job.Counts);
        Assert.Equal([(404, "model_not_found", "model"), (400, "invalid_value", "precision")], (await world.ReadAsync(job.ErrorFile)).Select(
            line => (line.GetProperty("response").GetProperty("status_code").GetInt32(), Error(line, "code"), Error(line, "param"))));
    }

    [Theory]
    [InlineData("batch_cancelled")]
    [InlineData("batch_expired")]
    public async Task A_batch_that_is_stopped_keeps_what_was_done_and_names_what_was_not(string code)
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(300), TimeSpan.FromHours(1));
        world.StartDriver();
        var done = 0;
        await world.UntilAsync(async () =>
        {
            done += await world.WorkAsync(request => long.Parse(request.Request.Id.Value.Split('-')[^1]) % 3 == 0);
            return done >= 30;
        }, inStep: true);
        if (code == "batch_cancelled")
        {
            Assert.Equal(BatchState.Cancelling, (await world.Jobs.CancelAsync(created.Id, default))!.State);
            await world.UntilAsync(async () => (await world.JobAsync(created.Id)).IsEnded, inStep: true);
        }
        else
        {
            await world.UntilAsync(async () => (await world.JobAsync(created.Id)).IsEnded, TimeSpan.FromMinutes(1), inStep: true);
        }

        var job = await world.JobAsync(created.Id);
        Assert.Equal(code == "batch_cancelled" ? BatchState.Cancelled : BatchState.Expired, job.State);
        Assert.Equal(new BatchCounts(300, done, 300 - done), job.Counts);
        string[] answered = [.. BatchWorld.Ids(await world.ReadAsync(job.OutputFile))];
        var errors = await world.ReadAsync(job.ErrorFile);
        Assert.Equal(done, answered.Length);
        Assert.All(errors, line => Assert.Equal(code, line.GetProperty("error").GetProperty("code").GetString()));
        Assert.All(errors, line => Assert.Equal(JsonValueKind.Null, line.GetProperty("response").ValueKind));
        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"id-{i}").Except(answered), BatchWorld.Ids(errors));
        Assert.Contains($"cancelled/{created.Id}", world.Store.Names);
        Assert.Equal(job.State, (await world.Jobs.CancelAsync(created.Id, default))!.State);
    }

    [Fact]
    public async Task A_batch_that_is_cancelled_before_it_was_looked_at_names_every_line()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(200));
        await world.Jobs.CancelAsync(created.Id, default);
        world.StartDriver();
        var job = await world.UntilEndedAsync(created.Id);
        Assert.Equal((BatchState.Cancelled, new BatchCounts(200, 0, 200), null), (job.State, job.Counts, job.OutputFile));
        Assert.Equal(200, (await world.ReadAsync(job.ErrorFile)).Count);
    }

    [Fact]
    public async Task An_invalid_file_fails_with_the_lines_at_fault_and_nothing_is_run()
    {
        await using BatchWorld world = new();
        var created =
            await world.CreateAsync(
                [.. BatchWorld.Lines(3), "{", BatchWorld.Line("id-1"), BatchWorld.Line("x").Replace("POST", "GET", StringComparison.Ordinal)]);
        world.StartDriver();
        var job = await world.UntilEndedAsync(created.Id);
        Assert.Equal(BatchState.Failed, job.State);
        Assert.Equal(
            [("invalid_json_line", 4L, null), ("duplicate_custom_id", 5L, "custom_id"), ("invalid_method", 6L, "method")],
            job.Faults.Select(fault => (fault.Code, fault.Line!.Value, fault.Field)));
        Assert.Empty(world.Queue);
        Assert.NotNull(job.Times.Failed);
    }

    [Fact]
    public async Task An_input_that_is_deleted_fails_the_batch()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(3));
        await world.Store.DeleteAsync(created.Input, default);
        world.StartDriver();
        Assert.Equal("file_not_found", Assert.Single((await world.UntilEndedAsync(created.Id)).Faults).Code);
    }

    [Fact]
    public async Task Only_a_window_of_lines_is_queued_and_it_moves_on_past_a_slow_one()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(1000));
        world.StartDriver();
        await world.UntilAsync(() => world.Queue.Count >= world.Limits.Outstanding, inStep: true);
        await world.PassAsync(inStep: true);
        Assert.Equal(world.Limits.Outstanding, world.Queue.Count);

        // The first line takes for ever: the others go on up to the span, and no further.
        long furthest = 0;
        await world.UntilAsync(async () =>
        {
            await world.WorkAsync(request =>
            {
                var number = long.Parse(request.Request.Id.Value.Split('-')[^1]);
                furthest = Math.Max(furthest, number);
                return number != 1;
            });
            return furthest >= world.Limits.Span;
        }, inStep: true);
        await world.PassAsync(inStep: true);
        Assert.Empty(world.Queue);
        Assert.Equal(world.Limits.Span, furthest);
        var job = await world.JobAsync(created.Id);
        Assert.Equal((0, BatchState.InProgress), (job.Segments.Count, job.State));
    }

    [Fact]
    public async Task A_line_whose_message_was_lost_is_queued_again_in_time()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(10));
        world.StartDriver();
        await world.UntilAsync(() => world.Queue.Count == 10, inStep: true);
        await world.WorkAsync(request => !request.Request.Id.Value.EndsWith("-7", StringComparison.Ordinal));
        Assert.Empty(world.Queue);
        await world.UntilAsync(() => !world.Queue.IsEmpty, TimeSpan.FromMinutes(1), inStep: true);
        Assert.Equal($"{created.Id}-7", Assert.Single(world.Queue).Request.Id.Value);
        Assert.Equal(BatchState.Completed, (await world.UntilEndedAsync(created.Id)).State);
    }

    [Fact]
    public async Task Requests_carry_owner_batch_class_and_what_is_left_of_the_window()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(1), TimeSpan.FromHours(2));
        world.Time.Advance(TimeSpan.FromHours(1.5));
        world.StartDriver();
        await world.UntilAsync(() => !world.Queue.IsEmpty, inStep: true);
        var request = Assert.Single(world.Queue);
        Assert.Equal((BatchWorld.Owner, created.Id, R1Serverless.Queues.WorkClass.Bulk, null),
            (request.Request.Owner, request.Batch, request.Class, request.ReplyTo));
        Assert.InRange(request.Request.Deadline!.Value, TimeSpan.FromMinutes(25), TimeSpan.FromMinutes(30));
    }

    [Theory]
    [InlineData("", "batch_expired")]
    [InlineData(",\"deadline\":5", "deadline_exceeded")]
    public async Task A_line_that_was_too_late_says_for_whose_deadline(string more, string code)
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync([BatchWorld.Line("a", "late", more)]);
        world.StartDriver();
        var line = Assert.Single(await world.ReadAsync((await world.UntilEndedAsync(created.Id)).ErrorFile));
        Assert.Equal(code, more.Length == 0 ? line.GetProperty("error").GetProperty("code").GetString() : Error(line, "code"));
    }

    [Fact]
    public async Task A_while_after_its_end_only_job_and_files_are_left()
    {
        await using BatchWorld world = new();
        var created = await world.CreateAsync(BatchWorld.Lines(100));
        world.StartDriver();
        await world.UntilEndedAsync(created.Id);
        // A delivery that comes after the end leaves one more result.
        await world.Results.TryPutAsync(new InferenceResult { Id = new($"{created.Id}-5"), Outcome = RequestOutcome.Cancelled }, default);
        await world.UntilAsync(() => !world.Store.Names.Any(name => name.StartsWith("active-batches/", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(world.Store.Names,
            name => name.StartsWith("results/", StringComparison.Ordinal) || name.Contains("/segment-", StringComparison.Ordinal));
        Assert.Equal(100, (await world.ReadAsync((await world.JobAsync(created.Id)).OutputFile)).Count);
    }

    [Fact]
    public async Task Owners_take_turns_when_there_are_more_batches_than_may_be_driven()
    {
        await using BatchWorld world = new() { Limits = new BatchLimits { Batches = 2 } };
        for (var i = 0; i < 5; i++) await world.CreateAsync(BatchWorld.Lines(2), owner: "greedy");
        var modest = await world.CreateAsync(BatchWorld.Lines(2), owner: "modest");
        world.StartDriver();
        await world.UntilAsync(() => world.Queue.Count == 4);
        Assert.Equal(2, world.Queue.Count(request => request.Batch == modest.Id));
    }

    private static string? Error(JsonElement line, string field) =>
        line.GetProperty("response").GetProperty("body").GetProperty("error").GetProperty(field).GetString();
}
