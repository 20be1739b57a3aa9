using System.Globalization;
using Azure.Storage.Queues.Models;
using Microsoft.Extensions.Logging;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>The reply queues of all instances. Each instance marks its own with the service's time as long as it lives; those whose mark is old
/// belonged to instances that ended by force, and are removed by the others.</summary>
internal sealed partial class ReplyQueues(StorageClients clients, string prefix, MessageQueue own, ILogger log)
{
    public static readonly TimeSpan TendEvery = TimeSpan.FromMinutes(5);

    private const string Seen = "seen";

    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    /// <summary>Marks one's own queue and removes the abandoned ones.</summary>
    /// <exception cref="TransportException">The own one could not be marked.</exception>
    public async ValueTask TendAsync(CancellationToken cancellationToken)
    {
        await own.MarkAsync(Mark(own.ServiceTime), cancellationToken);
        try
        {
            await foreach (var page in clients.Queues.GetQueuesAsync(QueueTraits.Metadata, prefix, cancellationToken).AsPages())
            {
                if (page.GetRawResponse().Headers.Date is { } now) await PurgeAsync(page.Values, now, cancellationToken);
            }
        }
        catch (Exception fault) when (fault is TransportException || clients.QueueService.Knows(fault, cancellationToken))
        {
            // An identity may be allowed its queues and no list of all.
            LogUnlisted(prefix, (fault as TransportException ?? clients.QueueService.Explain(fault)).Message);
        }
    }

    private static Dictionary<string, string> Mark(DateTimeOffset now) =>
        new(StringComparer.Ordinal) { [Seen] = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture) };

    private async ValueTask PurgeAsync(IReadOnlyList<QueueItem> queues, DateTimeOffset now, CancellationToken cancellationToken)
    {
        foreach (var item in queues.Where(item => item.Name != own.Name))
        {
            MessageQueue queue = new(clients.Queues, clients.QueueService, item.Name);
            if (item.Metadata is null || !item.Metadata.TryGetValue(Seen, out var mark)
                || !long.TryParse(mark, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            {
                // Its owner ended, or is, between creating and marking it.
                await TryAsync(queue.MarkAsync(Mark(now), cancellationToken));
            }
            else if (now - DateTimeOffset.FromUnixTimeSeconds(seconds) > Abandoned)
            {
                LogPurge(item.Name);
                await queue.DeleteAsync(cancellationToken);
            }
        }

        static async ValueTask TryAsync(ValueTask marking)
        {
            try
            {
                await marking;
            }
            catch (TransportException fault) when (MessageQueue.IsGone(fault))
            {
                // Its owner has just deleted it.
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The reply queue {Queue} of an instance that is gone is removed")]
    private partial void LogPurge(string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reply queues {Prefix}* of instances that are gone could not be removed: {Reason}")]
    private partial void LogUnlisted(string prefix, string reason);
}
