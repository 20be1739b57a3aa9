using R1Serverless.Queues.Batches;
using R1Serverless.Storage;

namespace R1Serverless.Serving;

/// <summary>Files and batches, where the transport keeps them.</summary>
internal sealed class BatchStore(QueueConnection connection, TimeProvider time)
{
    // A process that has just started opens its transport in less; a client should not hang on one that can't be reached.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <exception cref="TransportException">It is not open (yet).</exception>
    public async ValueTask<Opened> OpenAsync(CancellationToken cancellationToken)
    {
        var store = (await connection.OpenWithinAsync(Patience, cancellationToken)).Transport.Store;
        return new Opened(new FileStore(store, time), new BatchJobs(store, time));
    }

    internal sealed record Opened(FileStore Files, BatchJobs Jobs);
}
