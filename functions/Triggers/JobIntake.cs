using R1Serverless.Batches.Jobs;
using R1Serverless.Hosting;
using R1Serverless.Queues;

namespace R1Serverless.Triggers;

/// <summary>
/// Takes a message that the host holds. The host deletes it when this returns, and delivers it again when it throws: so what can never run is put aside here, with the reason, and faults are for
/// what may go better another time.
/// </summary>
internal sealed class JobIntake(QueueConnection connection, ServeOptions options, TimeProvider time, ILogger<JobIntake> log)
{
    // The host puts a message aside, without a reason, that failed too often: waiting here keeps a short outage from using up its deliveries.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20), Pause = TimeSpan.FromSeconds(2);

    /// <param name="id">The queue's own, the same at each delivery.</param>
    /// <param name="text">A job in JSON, or in Base64.</param>
    /// <param name="deliveries">This time included.</param>
    /// <exception cref="TransportException">The store stays away.</exception>
    /// <exception cref="InvalidOperationException">Another delivery may go better.</exception>
    public async Task TakeAsync(string id, string text, long deliveries, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> job = JobText.Read(text);
        Transport transport = (await connection.OpenWithinAsync(Patience, cancellationToken)).Transport;
        JobHandling handling = new(new InferenceJobs(transport.Store, new OpenAiBatches(options.Precision, time), time), log);
        JobStep step = await RepeatAsync(
            async () =>
            {
                (JobStep step, string? reason) = await handling.HandleAsync(id, job, (int)Math.Min(deliveries, int.MaxValue), cancellationToken);
                if (step == JobStep.PutAside) await transport.Jobs.PutAsideAsync(id, job, reason!, cancellationToken);
                return step;
            },
            cancellationToken);
        if (step == JobStep.Retry) throw new InvalidOperationException($"Job {id} could not be handled; it is delivered again.");
    }

    private async ValueTask<JobStep> RepeatAsync(Func<ValueTask<JobStep>> attempt, CancellationToken cancellationToken)
    {
        for (long start = time.GetTimestamp(); ;)
        {
            try
            {
                return await attempt();
            }
            catch (TransportException) when (time.GetElapsedTime(start) < Patience)
            {
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }
}
