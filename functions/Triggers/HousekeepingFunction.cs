using Microsoft.Azure.Functions.Worker;
using R1Serverless.Hosting;
using R1Serverless.Serving;

namespace R1Serverless.Triggers;

/// <summary>
/// The host's timer, once for all instances, also when none was running: purges what nobody comes back for, and stays until the batches that this
/// process drives have ended, or for a minute: those whose time is up expire, those whose lines are done are finalised.
/// </summary>
public static class HousekeepingFunction
{
    private static readonly TimeSpan LongestOpening = TimeSpan.FromSeconds(30), LongestDriving = TimeSpan.FromMinutes(1);

    [Function("Housekeeping")]
    public static async Task RunAsync([TimerTrigger("0 */15 * * * *")] TimerInfo timer, FunctionContext context)
    {
        var services = await context.InstanceServices.GetRequiredService<ServerServices>().GetAsync(context.CancellationToken);
        var queue = await services.GetRequiredService<QueueConnection>().OpenWithinAsync(LongestOpening, context.CancellationToken);
        await services.GetRequiredService<RetentionService>().PurgeAsync(queue, context.CancellationToken);
        using CancellationTokenSource limit = new(LongestDriving, services.GetRequiredService<TimeProvider>());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, limit.Token);
        try
        {
            await services.GetRequiredService<BatchService>().SettleAsync(stop.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // It is driven on while this process lives, and by whoever comes after it.
        }
    }
}
