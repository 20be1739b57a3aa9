using R1Serverless.Hosting;

namespace R1Serverless.Triggers;

/// <summary>
/// POST /Housekeeping: the host's timer, once for all instances, also when none was running. Purges what nobody comes back for, and stays until the batches that this process
/// drives have ended, or for a minute: those whose time is up expire, those whose lines are done are finalised.
/// </summary>
internal sealed class HousekeepingTrigger(QueueConnection connection, RequestUpkeep upkeep, BulkWork bulk, TimeProvider time)
{
    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30), LongestDriving = TimeSpan.FromMinutes(1);

    public async Task RunAsync(HttpContext context)
    {
        int purged = await upkeep.PurgeAsync(await connection.OpenWithinAsync(LongestOpening, context.RequestAborted), context.RequestAborted);
        using CancellationTokenSource limit = new(LongestDriving, time);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, limit.Token);
        bool isSettled = true;
        try
        {
            await bulk.SettleAsync(stop.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // It is driven on while this process lives, and by whoever comes after it.
            isSettled = false;
        }

        await InvocationAnswer.WriteAsync(context, $"{purged} objects purged; {(isSettled ? "no batch is open here" : "batches go on")}");
    }
}
