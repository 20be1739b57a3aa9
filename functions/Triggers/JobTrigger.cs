using R1Serverless.Batches.Jobs;
using R1Serverless.Endpoints;
using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;

namespace R1Serverless.Triggers;

/// <summary>
/// POST /InferenceJobs and /InferenceJobsServiceBus: messages that the host took from the queue of jobs. It deletes them when it is answered 2xx: so those that can't be run are put
/// aside here, with the reason, and other statuses are for what may go better another time.
/// </summary>
internal sealed class JobTrigger(QueueConnection connection, ServeOptions options, TimeProvider time, ILogger<JobTrigger> log)
{
    // A failed message comes again at once from Service Bus: waiting here keeps a short outage from using up its deliveries.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20), Pause = TimeSpan.FromSeconds(2);

    // Of what JSON in a string in a string may add to a message.
    private readonly int _mostBytes = (int)Math.Min(int.MaxValue, (4L * options.MaxBodyBytes) + (64 << 10));

    public async Task RunAsync(HttpContext context)
    {
        if (await RequestBytes.ReadAsync(context.Request, _mostBytes, context.RequestAborted) is not { } body || QueueInvocation.Read(body) is not { } messages)
        {
            // Nothing here could be put aside: the host does so itself when it has tried often enough.
            await ErrorAnswers.WriteAsync(context, ApiError.Invalid("This is no invocation of a queue's function.", null, "bad_invocation"));
            return;
        }

        Transport transport = (await connection.OpenWithinAsync(Patience, context.RequestAborted)).Transport;
        JobHandling handling = new(new InferenceJobs(transport.Store, new OpenAiBatches(options.Precision, time), time), log);
        List<string> logs = [];
        bool isRetried = false;
        foreach (TriggerMessage message in messages)
        {
            (JobStep step, string? reason) = await RepeatAsync(() => handling.HandleAsync(message.Id, message.Body, message.Deliveries, context.RequestAborted), context.RequestAborted);
            if (step == JobStep.PutAside)
            {
                logs.Add($"Job {message.Id} was put aside: {reason}");
                isRetried |= !await RepeatAsync(() => transport.Jobs.PutAsideAsync(message.Id, message.Body, reason!, message.Receipt, context.RequestAborted), context.RequestAborted);
            }

            isRetried |= step == JobStep.Retry;
        }

        // All of them come again then; those that are on their way find so.
        if (isRetried) await ErrorAnswers.WriteAsync(context, ApiError.Internal(context.TraceIdentifier));
        else await InvocationAnswer.WriteAsync(context, logs);
    }

    private async ValueTask<T> RepeatAsync<T>(Func<ValueTask<T>> attempt, CancellationToken cancellationToken)
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
