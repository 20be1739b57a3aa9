using R1Serverless.Abstractions;
using R1Serverless.Monitoring;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Hosting;

/// <summary>Connects a gateway to the queue once the port is open, and opens the API.</summary>
internal sealed class GatewayOpening(
    ServingState serving, QueueConnection connection, StartupReport report, ProcessEnd end, IHostApplicationLifetime lifetime,
    StartupTimeline timeline, MonitoringStart? monitoring = null)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await PortOpened.WaitAsync(lifetime, stoppingToken);
        timeline.Mark(StartupPhase.PortOpen);
        report.Listening();
        TransportRuntime queue;
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
            queue.Gateway,
            async cancellationToken => ModelListing.Of(await queue.Workers.ListAsync(cancellationToken)));
        report.Loaded(models);
        report.Ready(models);
    }

    /// <summary>Only the report is told of them: a store that is busy just now, as when many gateways start, must not end this one.</summary>
    private async Task<IReadOnlyList<ServedModel>> ListAsync(TransportRuntime queue, CancellationToken cancellationToken)
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
