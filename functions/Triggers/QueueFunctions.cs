using Azure.Storage.Queues.Models;
using Microsoft.Azure.Functions.Worker;
using R1Serverless.Hosting;
using R1Serverless.Queues;

namespace R1Serverless.Triggers;

/// <summary>Messages of the storage queue of jobs. On Service Bus the workers take them themselves.</summary>
public static class QueueFunctions
{
    /// <exception cref="TransportException">The store stays away: the host delivers the message again after the queue's visibility timeout.</exception>
    [Function("InferenceJobs")]
    public static Task InferenceJobsAsync([QueueTrigger(IJobQueue.Name, Connection = TransportOptions.StorageVariable)] QueueMessage message, FunctionContext context) =>
        context.InstanceServices.GetRequiredService<JobIntake>().TakeAsync(message.MessageId, message.Body.ToString(), message.DequeueCount, context.CancellationToken);
}
