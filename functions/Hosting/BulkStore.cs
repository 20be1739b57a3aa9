using R1Serverless.Batches;
using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>Files and batches, where the transport keeps them.</summary>
internal sealed class BulkStore(QueueConnection connection, TimeProvider time)
{
    // A process that has just started opens its transport in less; a client should not hang on one that can't be reached.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <exception cref="TransportException">It is not open (yet).</exception>
    public async ValueTask<Opened> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            Transport transport = (await connection.OpenAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken)).Transport;
            return new Opened(new StoredFiles(transport.Store, time), new BatchJobs(transport.Store, time));
        }
        catch (TimeoutException)
        {
            throw new TransportException("The transport is not open yet.");
        }
    }

    internal sealed record Opened(StoredFiles Files, BatchJobs Jobs);
}
