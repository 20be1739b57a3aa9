using System.Diagnostics.Metrics;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Serving;

namespace R1Serverless.Monitoring;

/// <summary>What this process has to do and what it costs, read whenever somebody collects.</summary>
public sealed class WorkerGauges : IDisposable
{
    private readonly Meter _meter = new(Instruments.MeterName);

    /// <summary>The engine's sequences.</summary>
    public void Watch(Func<(long Running, long Waiting)> load)
    {
        _meter.CreateObservableGauge("running_sequences", () => load().Running, "{sequence}", "Sequences that the engine runs.");
        _meter.CreateObservableGauge("waiting_sequences", () => load().Waiting, "{sequence}", "Sequences that wait for a slot in the engine.");
    }

    /// <summary>When each step of the start was reached.</summary>
    public void Watch(Func<IReadOnlyList<PhaseReached>> reached) =>
        _meter.CreateObservableGauge("startup_time",
            () => reached().Select(one => new Measurement<double>(one.Seconds, new KeyValuePair<string, object?>("phase", one.Phase))), "s",
            "From the start of the process until each step was reached.");

    /// <summary>GPUs of this machine.</summary>
    public void Watch(Func<IReadOnlyList<GpuReading>> gpus)
    {
        _meter.CreateObservableGauge("gpu_utilization", () => gpus().Select(gpu => new Measurement<double>(gpu.Utilization, Index(gpu))), "1",
            "Share of the last sample time in which the GPU ran kernels.");
        _meter.CreateObservableGauge("gpu_memory_used", () => gpus().Select(gpu => new Measurement<long>(gpu.MemoryUsed, Index(gpu))), "By",
            "Memory of the GPU in use, whoever uses it.");
    }

    /// <summary>What this process has cost so far, idle or not.</summary>
    /// <param name="perHour">In whichever currency.</param>
    /// <param name="running">For how long it has run.</param>
    public void Watch(double perHour, Func<TimeSpan> running) =>
        _meter.CreateObservableCounter("inference_cost", () => running().TotalHours * perHour, "{currency}",
            "The price per hour times the hours that this process has run.");

    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Index(GpuReading gpu) => new("gpu", gpu.Index);
}

/// <param name="Utilization">0 to 1.</param>
/// <param name="MemoryUsed">Bytes.</param>
public readonly record struct GpuReading(int Index, double Utilization, long MemoryUsed);
