using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

/// <summary>Queues, replies and a store for one test alone, and what a test must do to them that no program does.</summary>
public abstract class TransportFixture : IAsyncDisposable
{
    private readonly List<Transport> _connected = [];

    /// <summary>Whether the service tells what another instance has leased from what waits.</summary>
    public virtual bool TellsLeasedFromWaiting => true;

    /// <summary>One more instance on the same queues and store, opened, as another process would have it; disposed with the fixture.</summary>
    public async ValueTask<Transport> ConnectAsync()
    {
        var transport = Create();
        _connected.Add(transport);
        await transport.OpenAsync(TestContext.Current.CancellationToken);
        return transport;
    }

    /// <summary>Lets the queue's clock go on by at least this much: moves an injected clock, or waits where the clock is the service's.</summary>
    public abstract ValueTask PassAsync(TimeSpan time);

    /// <summary>Puts a message into a queue as some other program might, whatever it holds.</summary>
    public abstract ValueTask PutRawAsync(WorkClass workClass, byte[] body);

    public async ValueTask DisposeAsync()
    {
        foreach (var transport in _connected) await transport.DisposeAsync();
        await RemoveAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A new instance, not opened. Its lease time should be short where the clock is real: 2 to 5 seconds.</summary>
    protected abstract Transport Create();

    /// <summary>Removes queues and store.</summary>
    protected abstract ValueTask RemoveAsync();
}
