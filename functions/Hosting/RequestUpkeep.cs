using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>What is done for requests after their answers: webhooks are called, and what nobody comes back for is purged; behind the Functions host when its timer says so, once for
/// all instances.</summary>
internal sealed partial class RequestUpkeep(QueueConnection connection, ServeOptions options, TimeProvider time, ILogger<RequestUpkeep> log) : BackgroundService
{
    private static readonly TimeSpan LongestPeriod = TimeSpan.FromHours(1), ShortestPeriod = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        IObjectStore store;
        try
        {
            store = (await connection.OpenAsync(stoppingToken)).Transport.Store;
        }
        catch (Exception fault) when (fault is TransportException || stoppingToken.IsCancellationRequested)
        {
            // Whoever opens the API says why; there is nothing to keep up.
            return;
        }

        await Task.WhenAll(CallAsync(store, stoppingToken), options.IsBehindHost ? Task.CompletedTask : PurgeAsync(new Housekeeping(store, options.Retention), stoppingToken));
    }

    /// <summary>Purges once; how many objects are gone.</summary>
    /// <exception cref="TransportException">The store can't be reached; what was done is done.</exception>
    public ValueTask<int> PurgeAsync(OpenQueue queue, CancellationToken cancellationToken) => new Housekeeping(queue.Transport.Store, options.Retention).RunAsync(cancellationToken);

    private async Task CallAsync(IObjectStore store, CancellationToken stoppingToken)
    {
        WebhookHosts hosts = new(options.WebhookHosts);
        if (!hosts.AreAny || options.WebhookSecret is not { } secret) return;
        using WebhookSender sender = new(hosts, secret, time, log);
        RequestRecords records = new(store);
        await new WebhookDeliverer(store, SendAsync, time, log).RunAsync(stoppingToken);

        async Task<WebhookOutcome> SendAsync(WebhookDelivery delivery, InferenceResult result, CancellationToken cancellationToken) =>
            await records.FindAsync(delivery.Owner, delivery.Id, cancellationToken) is { } record
                ? await sender.SendAsync(delivery, RecordedCall.Answer(record, result), cancellationToken)
                : WebhookOutcome.Refused;
    }

    private async Task PurgeAsync(Housekeeping housekeeping, CancellationToken stoppingToken)
    {
        TimeSpan period = options.Retention / 24;
        using PeriodicTimer turns = new(period > LongestPeriod ? LongestPeriod : period < ShortestPeriod ? ShortestPeriod : period, time);
        try
        {
            while (await turns.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    if (await housekeeping.RunAsync(stoppingToken) is > 0 and var purged) LogPurged(purged);
                }
                catch (Exception fault) when (fault is TransportException or MalformedMessageException)
                {
                    LogNotPurged(fault.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // As told.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Objects} objects of requests past their retention are gone")]
    private partial void LogPurged(int objects);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What is past its retention could not be purged: {Fault}")]
    private partial void LogNotPurged(string fault);
}
