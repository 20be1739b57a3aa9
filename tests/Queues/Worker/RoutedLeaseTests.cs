using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Worker;

/// <summary>Workers that serve different models over one queue, and what becomes of requests that the wrong one gets.</summary>
public sealed class RoutedLeaseTests
{
    [Fact]
    public void Workers_of_different_models_answer_all_requests_of_one_queue_also_where_one_is_killed() => Run(async (world, drain) =>
    {
        drain.Broker.Enqueue(Enumerable.Range(0, 60).Select(i => Request($"{i}", i % 2 == 0 ? "a" : "b")));
        drain.Work(Engine(drain, "a"), routes: () => [new("a")], workers: Directory(drain, world));
        var killed = drain.Connect();
        drain.Work(Engine(drain, "b"), killed, () => [new("b")], Directory(drain, world));
        await world.PassAsync(1.5);
        killed.IsCut = true;
        drain.Work(Engine(drain, "b"), routes: () => [new("b")], workers: Directory(drain, world));

        var results = await drain.ResultsAsync(Enumerable.Range(0, 60).Select(i => $"{i}"));
        Assert.All(results, result => Assert.Equal(RequestOutcome.Finished, result.Outcome));
    });

    [Fact]
    public void A_request_for_any_worker_is_handed_on_to_those_that_serve_it() => Run(async (world, drain) =>
    {
        var first = Engine(drain, "a");
        await drain.RegisterAsync("w", "b");
        drain.Broker.Enqueue([Request("x", "b", TimeSpan.FromMinutes(1)) with { IsForAny = true }]);
        await world.PassAsync(2);
        drain.Work(first, routes: () => [new("a")], workers: Directory(drain, world));
        await world.PassAsync(2);
        Assert.Empty(first.Started);
        Assert.Equal(1, drain.Broker.Left);

        var second = Engine(drain, "b");
        drain.Work(second, routes: () => [new("b")], workers: Directory(drain, world));
        Assert.Equal(RequestOutcome.Finished, (await drain.ResultsAsync("x")).Single().Outcome);
        // What it waited for the first counts.
        Assert.True(Assert.Single(second.Started).Deadline < TimeSpan.FromMinutes(1));
    });

    [Fact]
    public void A_request_for_any_worker_that_nobody_serves_is_refused_by_the_first() => Run(async (world, drain) =>
    {
        await drain.RegisterAsync("w", "a");
        drain.Broker.Enqueue([Request("x", "none") with { IsForAny = true }]);
        drain.Work(Engine(drain, "a"), routes: () => [new("a")], workers: Directory(drain, world));
        Assert.Equal(InferenceErrorKind.ModelNotFound, (await drain.ResultsAsync("x")).Single().Error!.Kind);
    });

    [Fact]
    public void A_request_whose_model_went_between_lease_and_run_goes_to_another() => Run(async (world, drain) =>
    {
        RequestRoute[] served = [new("a"), new("b")];
        var changing = Engine(drain, "a");
        drain.Work(changing, routes: () => served, workers: Directory(drain, world));
        await world.PassAsync(0.1);
        served = [new("a")];
        drain.Broker.Enqueue([Request("x", "b")]);
        await world.UntilAsync(() => drain.Broker.Abandoned.Count > 0);

        drain.Work(Engine(drain, "b"), routes: () => [new("b")], workers: Directory(drain, world));
        Assert.Equal(RequestOutcome.Finished, (await drain.ResultsAsync("x")).Single().Outcome);
    });

    private static QueuedRequest Request(string id, string model, TimeSpan? deadline = null)
    {
        var plain = DrainWorld.Request(id, 3, deadline: deadline);
        return plain with { Request = plain.Request with { Model = model } };
    }

    /// <summary>One that has only this model.</summary>
    private static ScriptedEngine Engine(DrainWorld drain, string model)
    {
        var engine = drain.Engine();
        engine.Fails = request => request.Model == model ? null : new InferenceError(InferenceErrorKind.ModelNotFound, "none", "model");
        return engine;
    }

    private static WorkerDirectory Directory(DrainWorld drain, VirtualTime world) => new(new WorkerRegistrations(drain.Broker.Store), world.Clock);

    private static void Run(Func<VirtualTime, DrainWorld, Task> test) => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        await test(world, drain);
        await drain.EndAsync();
    });
}
