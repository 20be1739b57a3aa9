using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Warmup;

namespace R1Serverless.Monitoring;

/// <summary>Begins to measure once the port is open, so that the first byte does not wait for it, and before the API opens, so that its first request
/// is measured.</summary>
internal sealed class MonitoringStart(ServeOptions options, TimeProvider time, IHostApplicationLifetime lifetime, StartupTimeline timeline,
    WarmupPass warmup, IServiceProvider services) : BackgroundService
{
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly WorkerGauges _gauges = new();
    private readonly long _start = time.GetTimestamp();
    private Exporters? _exporters;
    private RequestDelegate? _page;

    /// <summary>Ends when everything that happens is measured.</summary>
    public Task Started => _started.Task;

    /// <summary>Measures this engine from now on.</summary>
    public void Watch(LoadedModels loaded)
    {
        _gauges.Watch(() =>
        {
            var load = loaded.Load();
            return (load.Running, load.Waiting);
        });
        if (GpuUse.TryOpen() is { } gpus)
            _gauges.Watch(() => [.. gpus.Read().Select(gpu => new GpuReading(gpu.Index, gpu.Utilization, gpu.MemoryUsed))]);
    }

    /// <summary>GET /metrics.</summary>
    public async Task WritePageAsync(HttpContext context)
    {
        await _started.Task.WaitAsync(context.RequestAborted);
        await LazyInitializer.EnsureInitialized(ref _page, () => MetricsPage.Create(_exporters!.Metrics, services))(context);
    }

    /// <summary>When everything else has stopped: sends what is left.</summary>
    public override void Dispose()
    {
        _exporters?.Dispose();
        _gauges.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await PortOpened.WaitAsync(lifetime, stoppingToken);
        _gauges.Watch(() => timeline.Reached);
        if (options.Monitoring.CostPerHour is { } price) _gauges.Watch(price, () => time.GetElapsedTime(_start));
        _exporters =
            new Exporters(options.Monitoring, $"r1-{RoleName.Of(options.Role)}", request => warmup.Of(request) is not null, options.IsBehindHost);
        _started.SetResult();
    }
}
