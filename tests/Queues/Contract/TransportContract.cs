using R1Serverless.Abstractions;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>Two instances of a transport that share queues and store. Disposing an instance twice must be no error.</summary>
public abstract class TransportContract : IAsyncLifetime
{
    /// <summary>How long a test waits for what must come; only a failing test waits so long.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    protected TransportFixture Fixture { get; private set; } = null!;

    protected Transport Gateway { get; private set; } = null!;

    protected Transport Worker { get; private set; } = null!;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Fixture = await CreateFixtureAsync();
        Gateway = await Fixture.ConnectAsync();
        Worker = await Fixture.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Fixture.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected static QueuedRequest Request(string id, string owner = "", WorkClass workClass = WorkClass.Interactive, string prompt = "7 × 8 = ?",
        string? replyTo = null) => new()
        {
            Request = new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text(prompt), Owner = owner },
            Class = workClass,
            ReplyTo = replyTo,
        };

    /// <summary>Requests named <c>{name}0</c>, <c>{name}1</c> and so on.</summary>
    protected static QueuedRequest[] Requests(string name, int count, string owner = "", WorkClass workClass = WorkClass.Interactive) =>
        [.. Enumerable.Range(0, count).Select(i => Request($"{name}{i}", owner, workClass))];

    protected abstract ValueTask<TransportFixture> CreateFixtureAsync();
}
