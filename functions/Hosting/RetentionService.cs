using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.Webhooks;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Webhooks;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Hosting;

/// <summary>What is done for requests after their answers: webhooks are called, and what nobody comes back for is purged; behind the Functions host
/// when its timer says so, once for all instances.</summary>
internal sealed partial class RetentionService(QueueConnection connection, ServeOptions options, TimeProvider time, ILogger<RetentionService> log)
    : BackgroundService
{
    private static readonly TimeSpan LongestPeriod = TimeSpan.FromHours(1), ShortestPeriod = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (await connection.TryOpenAsync(stoppingToken) is not { } queue) return;
        var store = queue.Transport.Store;
        await BackgroundWork.RunAsync(
            stoppingToken,
            stop => CallAsync(store, stop),
            stop => options.IsBehindHost ? Task.CompletedTask : PurgeAsync(new RetentionSweep(store, options.Retention), stop));
    }

    /// <summary>Purges once; how many objects are gone.</summary>
    /// <exception cref="TransportException">The store can't be reached; what was done is done.</exception>
    public ValueTask<int> PurgeAsync(TransportRuntime queue, CancellationToken cancellationToken) =>
        new RetentionSweep(queue.Transport.Store, options.Retention).RunAsync(cancellationToken);

    private async Task CallAsync(IObjectStore store, CancellationToken stoppingToken)
    {
        WebhookHosts hosts = new(options.WebhookHosts);
        if (!hosts.AreAny || options.WebhookSecret is not { } secret) return;
        using WebhookSender sender = new(hosts, secret, time, log);
        RequestRecords records = new(store);
        await new WebhookDeliverer(store, SendAsync, time, log).RunAsync(stoppingToken);

        async Task<WebhookOutcome> SendAsync(WebhookDelivery delivery, InferenceResult result, CancellationToken cancellationToken) =>
            await records.FindAsync(delivery.Owner, delivery.Id, cancellationToken) is { } record
                ? await sender.SendAsync(delivery, RequestRecordMapping.Answer(record, result), cancellationToken)
                : WebhookOutcome.Refused;
    }

    private async Task PurgeAsync(RetentionSweep sweep, CancellationToken stoppingToken)
    {
        var period = options.Retention / 24;
        using PeriodicTimer turns = new(period > LongestPeriod ? LongestPeriod : period < ShortestPeriod ? ShortestPeriod : period, time);
        try
        {
            while (await turns.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    if (await sweep.RunAsync(stoppingToken) is > 0 and var purged) LogPurged(purged);
                }
                catch (Exception fault) when (fault is TransportException or MalformedMessageException)
                {
                    LogNotPurged(fault.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Objects} objects of requests past their retention are gone")]
    private partial void LogPurged(int objects);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What is past its retention could not be purged: {Fault}")]
    private partial void LogNotPurged(string fault);
}
