using System.Text;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Azure.Storage;

namespace R1Serverless.Tests.Azure.Storage;

public sealed class StorageJobQueueTests(AzuriteFixture azurite)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_producer_that_knows_only_the_queue_is_understood_and_what_can_not_run_is_put_aside(bool asBase64)
    {
        var options = await azurite.OptionsAsync();
        options = options with { JobQueue = $"{options.QueuePrefix}jobs" };
        await using StorageTransport transport = new(options, TimeProvider.System, NullLogger.Instance);
        await transport.OpenAsync(default);
        QueueClient producer = new(options.ConnectionString, options.JobQueue);
        const string job = """{"id":"é","body":{}}""";
        await producer.SendMessageAsync(asBase64 ? Convert.ToBase64String(Encoding.UTF8.GetBytes(job)) : job);

        var first = (await transport.Jobs.LeaseAsync(Patience, default))!;
        Assert.Equal((job, 1), (Encoding.UTF8.GetString(first.Message.Span), first.Deliveries));
        await first.AbandonAsync(TimeSpan.Zero, default);
        var second = (await transport.Jobs.LeaseAsync(Patience, default))!;
        Assert.Equal((first.Id, 2), (second.Id, second.Deliveries));
        await second.DeadLetterAsync("no good", default);
        Assert.Null(await transport.Jobs.LeaseAsync(TimeSpan.Zero, default));

        PeekedMessage letter = await new QueueClient(options.ConnectionString, $"{options.JobQueue}-poison").PeekMessageAsync();
        Assert.Contains("no good", Encoding.UTF8.GetString(Convert.FromBase64String(letter.MessageText)), StringComparison.Ordinal);

        await transport.Jobs.EnqueueAsync("{}"u8.ToArray(), default);
        var third = (await transport.Jobs.LeaseAsync(Patience, default))!;
        await third.CompleteAsync(default);
        Assert.Null(await transport.Jobs.LeaseAsync(TimeSpan.Zero, default));
    }

    [Theory]
    [InlineData(10, "no job 10")]
    [InlineData(60_000, "…")]
    public async Task What_a_trigger_can_not_run_is_put_aside_with_its_reason_however_large(int length, string end)
    {
        var options = await azurite.OptionsAsync();
        options = options with { JobQueue = $"{options.QueuePrefix}jobs" };
        await using StorageTransport transport = new(options, TimeProvider.System, NullLogger.Instance);
        await transport.OpenAsync(default);
        await transport.Jobs.PutAsideAsync("1", Encoding.UTF8.GetBytes(length > 10 ? new string('x', length) : "no job 10"), "no good", default);
        PeekedMessage letter = await new QueueClient(options.ConnectionString, $"{options.JobQueue}-poison").PeekMessageAsync();
        using var read = System.Text.Json.JsonDocument.Parse(Convert.FromBase64String(letter.MessageText));
        Assert.Equal("no good", read.RootElement.GetProperty("reason").GetString());
        Assert.EndsWith(end, read.RootElement.GetProperty("message").GetString(), StringComparison.Ordinal);
    }
}
