using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>Connects a gateway to the queue once the port is open, and opens the API.</summary>
internal sealed class GatewayOpening(
    Serving serving, QueueConnection connection, StartupReport report, ProcessEnd end, IHostApplicationLifetime lifetime, StartupTimeline timeline, MonitoringStart? monitoring = null)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await PortOpen.WaitAsync(lifetime, stoppingToken);
        timeline.Mark(StartupPhase.PortOpen);
        report.Listening();
        OpenQueue queue;
        IReadOnlyList<ServedModel> models;
        try
        {
            queue = await connection.OpenAsync(stoppingToken);
            models = await ListAsync(queue, stoppingToken);
        }
        catch (TransportException fault)
        {
            end.Fail(fault.Message);
            return;
        }

        if (monitoring is not null) await monitoring.Started.WaitAsync(stoppingToken);
        report.Connected(queue.Transport.Description);
        timeline.Mark(StartupPhase.Ready);
        serving.Open(
            new KnownModels(queue.Gateway, queue.Workers),
            async cancellationToken => ModelListing.Of(await queue.Workers.ListAsync(cancellationToken)));
        report.Loaded(models);
        report.Ready(models);
        await queue.Receiving.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // A gateway that hears no replies must not look as if it did.
        if (queue.Receiving.IsFaulted) await queue.Receiving;
    }

    /// <summary>Only the report is told of them: a store that is busy just now, as when many gateways start, must not end this one.</summary>
    private async Task<IReadOnlyList<ServedModel>> ListAsync(OpenQueue queue, CancellationToken cancellationToken)
    {
        try
        {
            return ModelListing.Of(await queue.Workers.ListAsync(cancellationToken));
        }
        catch (TransportException fault) when (!fault.IsPermanent)
        {
            report.Warn($"Which workers are there can't be told yet. {fault.Message}");
            return [];
        }
    }
}
