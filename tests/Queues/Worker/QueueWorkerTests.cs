using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Worker;

public sealed class QueueWorkerTests
{
    private static readonly RequestId A = new("a");

    [Fact]
    public void A_request_ends_with_one_result_and_leaves_the_queue() => Run(async (world, drain) =>
    {
        drain.Broker.Enqueue([DrainWorld.Request("a", 5)]);
        drain.Work(drain.Engine());

        var result = (await drain.ResultsAsync("a")).Single();
        await world.PassAsync(0.1);

        Assert.Equal(RequestOutcome.Finished, result.Outcome);
        Assert.Equal(ScriptedEngine.Text(5), result.Choices.Single().AllText());
        Assert.Equal("w0 w1 ", result.Choices.Single().Text(DeltaKind.Reasoning));
        Assert.Equal((1, 0), (drain.Broker.Completed, drain.Broker.Left));
    });

    [Fact]
    public void A_request_whose_result_exists_is_completed_without_running() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        await drain.Results.TryPutAsync(new InferenceResult { Id = A, Outcome = RequestOutcome.Finished, Usage = new Usage(1, 2, 0) },
            CancellationToken.None);
        drain.Broker.Enqueue([DrainWorld.Request("a", 5)]);
        drain.Work(engine);
        await world.UntilAsync(() => drain.Broker.Left == 0);

        Assert.Empty(engine.Started);
        Assert.Equal(new Usage(1, 2, 0), (await drain.ResultsAsync("a")).Single().Usage);
    });

    [Theory]
    [InlineData("a")]
    [InlineData("b1")]
    public void A_request_marked_as_cancelled_or_its_batch_is_not_started(string mark) => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        await drain.Marks.SetAsync(mark, CancellationToken.None);
        drain.Broker.Enqueue([DrainWorld.Request("a", 5, WorkClass.Bulk, batch: "b1")]);
        drain.Work(engine);

        Assert.Equal(RequestOutcome.Cancelled, (await drain.ResultsAsync("a")).Single().Outcome);
        await world.UntilAsync(() => drain.Broker.Left == 0);
        Assert.Empty(engine.Started);
    });

    [Fact]
    public void A_mark_stops_what_runs_within_two_seconds_and_costs_one_listing_a_second() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Broker.Enqueue([DrainWorld.Request("a", 1000), DrainWorld.Request("b", 1000, batch: "b1"), DrainWorld.Request("c", 60)]);
        drain.Work(engine);
        await world.PassAsync(3.3);
        await drain.Marks.SetAsync("a", CancellationToken.None);
        await drain.Marks.SetAsync("b1", CancellationToken.None);
        var asked = world.Now;
        await world.UntilAsync(() => engine.Stopped.Count == 2);
        Assert.InRange(world.Now - asked, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        var results = await drain.ResultsAsync("a", "b", "c");

        Assert.Equal([RequestOutcome.Cancelled, RequestOutcome.Cancelled, RequestOutcome.Finished], results.Select(result => result.Outcome));
        Assert.StartsWith("w0 w1 w2 ", results[0].Choices.Single().AllText(), StringComparison.Ordinal);
        Assert.InRange(drain.Broker.Store.Listings, 5, 9);
        var listings = drain.Broker.Store.Listings;
        await world.PassAsync(60);
        Assert.InRange(drain.Broker.Store.Listings - listings, 0, 1);
    });

    [Fact]
    public void A_request_past_its_deadline_is_never_started_and_one_that_passes_it_is_stopped() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Broker.Enqueue(
            [DrainWorld.Request("a", 5, deadline: TimeSpan.FromSeconds(4)), DrainWorld.Request("b", 1000, deadline: TimeSpan.FromSeconds(9))]);
        await world.PassAsync(5);
        drain.Work(engine);
        var results = await drain.ResultsAsync("a", "b");
        await world.PassAsync(0.1);

        Assert.All(results, result => Assert.Equal(RequestOutcome.Expired, result.Outcome));
        Assert.Empty(results[0].Choices);
        Assert.Equal(["b"], engine.Started.Select(request => request.Id.Value));
        Assert.InRange(world.Now, TimeSpan.FromSeconds(9), TimeSpan.FromSeconds(9.5));
        Assert.Equal(0, drain.Broker.Left);
    });

    [Fact]
    public void A_request_that_no_worker_survives_is_put_aside() => Run(async (world, drain) =>
    {
        var mortal = drain.Connect();
        drain.Broker.Enqueue([DrainWorld.Request("a", 5)]);
        for (var death = 0; death < drain.Options.MaxDeliveries; death++)
        {
            Assert.Single(drain.Broker.Take(WorkClass.Interactive, 1, mortal));
            await world.PassAsync(31);
        }

        var engine = drain.Engine();
        drain.Work(engine);
        var result = (await drain.ResultsAsync("a")).Single();
        await world.PassAsync(0.1);

        Assert.Equal((RequestOutcome.DeadLettered, InferenceErrorKind.Undeliverable), (result.Outcome, result.Error!.Kind));
        Assert.Empty(engine.Started);
        Assert.Equal(A, Assert.Single(drain.Broker.DeadLetters).Id);
    });

    [Fact]
    public void A_request_with_an_id_that_no_result_can_have_is_put_aside() => Run(async (world, drain) =>
    {
        drain.Broker.Enqueue([DrainWorld.Request("../a", 5)]);
        drain.Work(drain.Engine());
        await world.UntilAsync(() => drain.Broker.DeadLetters.Count == 1);
        Assert.Contains("id", drain.Broker.DeadLetters[0].Reason, StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(InferenceErrorKind.Internal)]
    [InlineData(InferenceErrorKind.Unavailable)]
    [InlineData(InferenceErrorKind.QueueFull)]
    public void A_failure_that_may_pass_is_tried_again_ever_later_and_then_put_aside(InferenceErrorKind kind) => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        engine.Fails = _ => new InferenceError(kind, "not now");
        drain.Broker.Enqueue([DrainWorld.Request("a", 1)]);
        drain.Work(engine);
        var result = (await drain.ResultsAsync("a")).Single();

        Assert.Equal(RequestOutcome.DeadLettered, result.Outcome);
        Assert.Contains("not now", result.Error!.Message, StringComparison.Ordinal);
        var deliveries = kind == InferenceErrorKind.Internal ? drain.Options.MaxAttempts : drain.Options.MaxDeliveries;
        Assert.Equal(deliveries, engine.Started.Count);
        Assert.Equal(deliveries - 1, drain.Broker.Abandoned.Count);
        for (var i = 0; i < 4; i++) Assert.InRange(drain.Broker.Abandoned[i].TotalSeconds, 0.5 * (1 << i), 1 << i);
    });

    [Fact]
    public void A_failure_that_passes_leaves_a_whole_answer() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        engine.Fails = _ => engine.Started.Count < 3 ? new InferenceError(InferenceErrorKind.Internal, "not now") : null;
        drain.Broker.Enqueue([DrainWorld.Request("a", 4)]);
        drain.Work(engine);
        Assert.Equal(ScriptedEngine.Text(4), (await drain.ResultsAsync("a")).Single().Choices.Single().AllText());
    });

    [Fact]
    public void A_failure_of_the_request_itself_is_its_result() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        engine.Fails = _ => new InferenceError(InferenceErrorKind.InvalidRequest, "no", "stop");
        drain.Broker.Enqueue([DrainWorld.Request("a", 1)]);
        drain.Work(engine);
        var result = (await drain.ResultsAsync("a")).Single();
        Assert.Equal((RequestOutcome.Failed, "stop"), (result.Outcome, result.Error!.Field));
        Assert.Single(engine.Started);
    });

    [Fact]
    public void An_answer_that_meets_a_fault_of_ours_fails_once_and_is_not_put_aside() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        engine.Word = (_, _) => throw new FormatException("broken");
        drain.Broker.Enqueue([DrainWorld.Request("a", 2)]);
        drain.Work(engine);
        var result = (await drain.ResultsAsync("a")).Single();
        Assert.Equal((RequestOutcome.Failed, InferenceErrorKind.Internal), (result.Outcome, result.Error!.Kind));
        Assert.Single(engine.Started);
        Assert.Empty(drain.Broker.DeadLetters);
    });

    [Fact]
    public void An_engine_that_throws_is_a_failure_that_may_pass() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        engine.Word = (_, i) => engine.Started.Count == 1 ? throw new IOException("broken") : $"w{i} ";
        drain.Broker.Enqueue([DrainWorld.Request("a", 2)]);
        drain.Work(engine);
        Assert.Equal(RequestOutcome.Finished, (await drain.ResultsAsync("a")).Single().Outcome);
        Assert.Equal(2, engine.Started.Count);
    });

    private static void Run(Func<VirtualTime, DrainWorld, Task> test) => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        await test(world, drain);
        await drain.EndAsync();
    });
}
