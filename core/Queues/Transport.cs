using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>One way to connect gateways and workers: queue, reply channel and store that belong together.</summary>
public abstract class Transport : IAsyncDisposable
{
    /// <summary>As the operator knows it: embedded, storage, servicebus, and where.</summary>
    public abstract string Description { get; }

    /// <summary>How this process is called where it is a worker; new for each transport.</summary>
    public string WorkerId { get; } = RequestId.New().Value;

    public abstract IRequestQueue Queue { get; }

    public abstract IReplyChannel Replies { get; }

    public abstract IObjectStore Store { get; }

    /// <summary>Where producers drop jobs.</summary>
    public abstract IJobQueue Jobs { get; }

    /// <summary>Creates what is missing (tables, queues, containers, folders) and checks that all of it can be reached. To be called once,
    /// first.</summary>
    /// <exception cref="TransportException">It can't be reached, or may not be used; the message says what to do.</exception>
    public abstract ValueTask OpenAsync(CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();
}
