using System.Text.Json;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Azure.Broker;
using R1Serverless.Tests.Azure.Storage;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Real processes over the stand-ins for Service Bus and Azure Storage.</summary>
public sealed class ServiceBusWorkerTests
{
    private const string Job =
        """{"id":"order-7","body":{"model":"r1-nano","messages":[{"role":"user","content":"What is 347 + 85?"}],"temperature":0}}""";

    [Fact]
    public async Task A_worker_takes_jobs_from_their_queue_where_no_trigger_does_and_answers_a_gateway()
    {
        await using StandInBroker broker = new(new BrokerOptions { LockTime = TimeSpan.FromSeconds(60) });
        await using var storage = await Azurite.StartAsync(folder: null);
        Dictionary<string,
            string> places =
            new(StringComparer.Ordinal)
            {
                [TransportOptions.ServiceBusVariable] = broker.ConnectionString,
                [TransportOptions.StorageVariable] = storage.ConnectionString
            };
        await using var gateway = await ServeProcess.StartInAsync(null, places, "--role", "gateway", "--transport", "servicebus");
        await broker.AskAsync(() =>
        {
            broker.Queue(IJobQueue.Name).Enqueue(new Amqp.Message(Job));
            broker.Dispatch();
            return true;
        });
        await using var worker = await ServeProcess.StartInAsync(null, places, "--role", "worker", "--transport", "servicebus");
        var answer = await gateway.Client.SendAsync(ServeProcess.Ask("What is 11 + 10?"));
        Assert.Contains("21", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);

        BlobStore objects = new(new StorageOptions { ConnectionString = storage.ConnectionString });
        StoredObject? result = null;
        await Eventually.HoldsAsync(
            async () => (result = await objects.GetAsync("jobs/order-7/result.json", TestContext.Current.CancellationToken)) is not null,
            () => $"the job's result: {worker.Output}");
        using var read = JsonDocument.Parse(result!.Content);
        Assert.Equal(200, read.RootElement.GetProperty("response").GetProperty("status_code").GetInt32());
        await Eventually.HoldsAsync(async () => await broker.AskAsync(() => broker.Queue(IJobQueue.Name).Count) == 0,
            () => "the job's message is completed");
    }
}
