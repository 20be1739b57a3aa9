using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests.Queues;

/// <summary>A broker with workers and a gateway, in virtual time.</summary>
internal sealed class DrainWorld(VirtualTime world)
{
    private readonly List<(Task Running, CancellationTokenSource Stop)> _running = [];

    public FakeBroker Broker { get; } = new(world.Clock);

    public QueueWorkerOptions Options { get; init; } = new();

    public ResultStore Results => new(Broker.Store);

    public CancellationMarkers Marks => new(Broker.Store);

    public ScriptedEngine Engine(int slots = 8) => new(world.Clock, slots);

    public FakeTransport Connect() => new(Broker, world.Clock);

    public static QueuedRequest Request(string id, int words, WorkClass workClass = WorkClass.Interactive, string? replyTo = null,
        string? batch = null, TimeSpan? deadline = null) => new()
        {
            Request = new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text(words.ToString()), Deadline = deadline },
            Class = workClass,
            ReplyTo = replyTo,
            Batch = batch,
        };

    /// <summary>Starts a worker; what it returns stops its leasing and waits for its end.</summary>
    /// <param name="routes">What it serves; null for the model m.</param>
    public Func<Task> Work(
        ScriptedEngine engine, FakeTransport? transport = null, Func<RequestRoute[]>? routes = null, WorkerDirectory? workers = null)
    {
        CancellationTokenSource stop = new();
        QueueWorker worker = new(
            transport ?? Connect(), engine, routes is null ? LeaseExtensions.Served : new ServedRoutes(routes, world.Clock), () => engine.Load,
            Options, world.Clock, NullLogger.Instance, workers);
        var running = worker.RunAsync(stop.Token);
        _running.Add((running, stop));
        return () =>
        {
            stop.Cancel();
            return running;
        };
    }

    /// <summary>Lets a worker say once that it lives and serves a model, which is believed for fifteen seconds.</summary>
    public ValueTask RegisterAsync(string id, string model) => new WorkerRegistrations(Broker.Store).PublishAsync(
        new WorkerRegistration(id, 1, [LeaseExtensions.Model(model)]), CancellationToken.None);

    /// <summary>Starts a gateway with its reply pump.</summary>
    public QueuedInference Gate()
    {
        QueuedInference gateway = new(Connect(), world.Clock, NullLogger.Instance);
        CancellationTokenSource stop = new();
        _running.Add((gateway.ReceiveAsync(stop.Token), stop));
        return gateway;
    }

    /// <summary>Stops all that was started; faults of theirs fail the test.</summary>
    public async Task EndAsync()
    {
        foreach ((var running, var stop) in _running)
        {
            stop.Cancel();
            await running;
        }
    }

    /// <summary>Waits until each has a result.</summary>
    public async Task<IReadOnlyList<InferenceResult>> ResultsAsync(params IEnumerable<string> ids)
    {
        List<InferenceResult> results = [];
        foreach (var id in ids)
        {
            await world.UntilAsync(() => Broker.Store.Names.Contains($"results/{id}.json"));
            results.Add((await Results.FindAsync(new RequestId(id), CancellationToken.None))!);
        }

        return results;
    }
}
