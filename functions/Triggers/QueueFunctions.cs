using Azure.Storage.Queues.Models;
using Microsoft.Azure.Functions.Worker;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Triggers;

/// <summary>Messages of the storage queue of jobs. On Service Bus the workers take them themselves.</summary>
public static class QueueFunctions
{
    /// <exception cref="TransportException">The store stays away: the host delivers the message again after the queue's visibility
    /// timeout.</exception>
    [Function("InferenceJobs")]
    public static async Task InferenceJobsAsync([QueueTrigger(IJobQueue.Name, Connection = TransportOptions.StorageVariable)] QueueMessage message,
    FunctionContext context)
    {
        var server = await context.InstanceServices.GetRequiredService<ServerServices>().GetAsync(context.CancellationToken);
        await server.GetRequiredService<JobIntake>()
            .TakeAsync(message.MessageId, message.Body.ToString(), message.DequeueCount, context.CancellationToken);
    }
}
