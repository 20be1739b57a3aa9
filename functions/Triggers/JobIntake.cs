using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Jobs;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Triggers;

/// <summary>
/// Takes a message that the host holds. The host deletes it when this returns, and delivers it again when it throws: so what can never run is put
/// aside here, with the reason, and faults are for what may go better another time.
/// </summary>
internal sealed class JobIntake(QueueConnection connection, ServeOptions options, TimeProvider time, ILogger<JobIntake> log)
{
    // The host puts a message aside, without a reason, that failed too often: waiting here keeps a short outage from using up its deliveries.
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TransportRetry _retry = new(time, log);

    /// <param name="id">The queue's own, the same at each delivery.</param>
    /// <param name="text">A job in JSON, or in Base64.</param>
    /// <param name="deliveries">This time included.</param>
    /// <exception cref="TransportException">The store stays away.</exception>
    /// <exception cref="InvalidOperationException">Another delivery may go better.</exception>
    public async Task TakeAsync(string id, string text, long deliveries, CancellationToken cancellationToken)
    {
        var job = JobText.Read(text);
        var transport = (await connection.OpenWithinAsync(Patience, cancellationToken)).Transport;
        InferenceJobs jobs = new(transport.Store, new OpenAiBatches(options.Precision, time), time, log);
        var start = time.GetTimestamp();
        var outcome = await _retry.RunAsync(
            "handle a job",
            async stop =>
            {
                var handled = await jobs.HandleAsync(id, job, (int)Math.Min(deliveries, int.MaxValue), stop);
                if (handled.Step == JobStep.PutAside) await transport.Jobs.PutAsideAsync(id, job, handled.Reason!, stop);
                return handled;
            },
            cancellationToken,
            isFinal: _ => time.GetElapsedTime(start) >= Patience);
        if (outcome.Step == JobStep.Retry) throw new InvalidOperationException($"Job {id} could not be handled; it is delivered again.");
    }
}
