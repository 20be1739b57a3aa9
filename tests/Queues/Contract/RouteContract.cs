using System.Diagnostics;
using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>Who gets a request: workers that have its model and the precision that it names, through all that may become of a lease.</summary>
public abstract class RouteContract : TransportContract
{
    /// <summary>Names that no queue can have as they are.</summary>
    public static TheoryData<string> OddNames { get; } =
        ["deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "Ä model, 'quoted'", "a--b-", "dead", "a-int8",
            "a-name-that-is-longer-than-the-names-of-queues-may-be-in-any-of-the-services"];

    private static readonly RequestRoute A = new("a"), B = new("b"), Int8OfA = new("a", Precision.Int8);
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(0.5);

    [Fact]
    public async Task A_worker_leases_only_what_it_serves()
    {
        await Gateway.Queue.EnqueueAsync([Of(B, "b0"), Of(A, "a0"), Of(Int8OfA, "i0"), Of(B, "b1"), Of(A, "a1")], Stop);
        Assert.Equal(["a0", "a1"], await LeaseOfAsync(Worker, [A], 2));
        Assert.Empty(await NoneOfAsync(Worker, A));
        Assert.Equal(["b0", "b1", "i0"], await LeaseOfAsync(Gateway, [B, Int8OfA], 3));
    }

    [Fact]
    public async Task What_any_worker_may_take_goes_to_whoever_comes()
    {
        await Gateway.Queue.EnqueueAsync([Of(A, "x") with { IsForAny = true }, Of(A, "a0")], Stop);
        Assert.Equal(["x"], await LeaseOfAsync(Worker, [B], 1));
        Assert.Empty(await NoneOfAsync(Worker, B));
        Assert.Equal(["a0"], await LeaseOfAsync(Worker, [A], 1));
    }

    [Fact]
    public async Task A_request_stays_with_its_model_whatever_becomes_of_its_leases()
    {
        await Gateway.Queue.EnqueueAsync([Of(Int8OfA, "i")], Stop);
        await LeaseOfAsync(Worker, [A, Int8OfA], 1);
        // Its worker was killed.
        await Fixture.PassAsync(Worker.Queue.LeaseTime + Slack);
        Assert.Empty(await NoneOfAsync(Gateway, A, B));
        var again = await LeaseFirstAsync(Gateway, Int8OfA);
        Assert.Equal(2, again.DequeueCount);

        Assert.True(await again.AbandonAsync(TimeSpan.Zero, Stop));
        Assert.Empty(await NoneOfAsync(Worker, A, B));
        Assert.True(await (await LeaseFirstAsync(Worker, Int8OfA)).DeadLetterAsync("no", Stop));

        Assert.Equal(1, await Gateway.Queue.RedriveAsync(WorkClass.Interactive, 10, Stop));
        Assert.Empty(await NoneOfAsync(Worker, A, B));
        Assert.Equal(["i"], await LeaseOfAsync(Worker, [Int8OfA], 1));
    }

    [Fact]
    public async Task A_waiting_worker_gets_what_comes_behind_a_flood_of_another_model()
    {
        await Gateway.Queue.EnqueueAsync([.. Enumerable.Range(0, 70).Select(i => Of(A, $"a{i}"))], Stop);
        var waiting = Worker.Queue.LeaseAsync(WorkClass.Interactive, [B], 4, Patience, Stop).AsTask();
        Assert.False(waiting.IsCompleted);
        await Gateway.Queue.EnqueueAsync([Of(B, "b0")], Stop);
        Assert.Equal(["b0"], Ids(await waiting));
    }

    [Fact]
    public async Task A_worker_of_two_models_leaves_neither_waiting()
    {
        await Gateway.Queue.EnqueueAsync([.. Enumerable.Range(0, 60).Select(i => Of(A, $"a{i}"))], Stop);
        await Gateway.Queue.EnqueueAsync([Of(B, "b0")], Stop);
        List<string> taken = [];
        while (!taken.Contains("b0") && taken.Count < 20) taken.AddRange(await LeaseOfAsync(Worker, [A, B], 2));
        Assert.Contains("b0", taken);
    }

    [Theory]
    [MemberData(nameof(OddNames))]
    public async Task Models_may_be_called_as_they_like(string name)
    {
        RequestRoute odd = new(name), lower = new(name.ToLowerInvariant()), named = new(name, Precision.Fp16);
        await Gateway.Queue.EnqueueAsync([Of(odd, "odd"), Of(named, "named"), Of(Int8OfA, "i0")], Stop);
        if (lower != odd) Assert.Empty(await NoneOfAsync(Worker, lower));
        Assert.Equal(["odd"], await LeaseOfAsync(Worker, [odd], 1));
        Assert.Equal(["named"], await LeaseOfAsync(Worker, [named], 1));
        Assert.Equal(["i0"], await LeaseOfAsync(Worker, [Int8OfA], 1));
    }

    [Fact]
    public async Task Statistics_tell_models_apart()
    {
        await Gateway.Queue.EnqueueAsync([Of(A, "a0"), Of(Int8OfA, "i0"), Of(B, "b0")], Stop);
        await LeaseOfAsync(Worker, [B], 1);
        var now = await Gateway.Queue.StatisticsAsync(WorkClass.Interactive, Stop);
        Assert.Equal(2, now.Models.Where(model => model.Model == "a").Sum(model => model.Waiting));
        Assert.Equal(now.Waiting, now.Models.Sum(model => model.Waiting));
    }

    /// <summary>All routes that these tests use, where a service has to have their queues beforehand.</summary>
    protected static IEnumerable<RequestRoute> Routes => [A, B, Int8OfA, .. OddNames.SelectMany(row =>
        new[] { new RequestRoute(row.Data), new RequestRoute(row.Data.ToLowerInvariant()), new RequestRoute(row.Data, Precision.Fp16) })
        .Distinct()];

    private static IEnumerable<string> Ids(IEnumerable<Lease> leases) => leases.Select(lease => lease.Message.Request.Id.Value);

    private static QueuedRequest Of(RequestRoute route, string id)
    {
        var plain = Request(id);
        return plain with
        {
            Request = plain.Request with { Model = route.Model, Precision = plain.Request.Precision with { Named = route.Precision } },
        };
    }

    private static async Task<IEnumerable<string>> NoneOfAsync(Transport transport, params RequestRoute[] routes) =>
        Ids(await transport.Queue.LeaseAsync(WorkClass.Interactive, routes, 8, TimeSpan.FromMilliseconds(100), Stop));

    private static async Task<Lease> LeaseFirstAsync(Transport transport, RequestRoute route) =>
        Assert.Single(await transport.Queue.LeaseAsync(WorkClass.Interactive, [route], 1, Patience, Stop));

    /// <summary>The ids of so many that are leased, which must be there, in order.</summary>
    private static async Task<List<string>> LeaseOfAsync(Transport transport, RequestRoute[] routes, int count)
    {
        List<string> leased = [];
        var watch = Stopwatch.StartNew();
        while (leased.Count < count && watch.Elapsed < Patience)
        {
            leased.AddRange(Ids(
                await transport.Queue.LeaseAsync(WorkClass.Interactive, routes, count - leased.Count, TimeSpan.FromSeconds(1), Stop)));
        }

        leased.Sort(StringComparer.Ordinal);
        return leased;
    }
}
