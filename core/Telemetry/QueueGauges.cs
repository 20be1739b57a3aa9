using System.Diagnostics.Metrics;

namespace R1Serverless.Telemetry;

/// <summary>The queues as an autoscaler looks at them.</summary>
internal sealed class QueueGauges : IDisposable
{
    private readonly Meter _meter = new(Instruments.MeterName);

    /// <param name="readings">The last known state of each queue; read whenever somebody collects.</param>
    public QueueGauges(Func<IEnumerable<QueueReading>> readings)
    {
        _meter.CreateObservableGauge("queue_length", () => readings().Select(queue => new Measurement<long>(queue.Waiting, Class(queue))), "{request}", "Requests that nobody has leased.");
        _meter.CreateObservableGauge("dead_letters", () => readings().Select(queue => new Measurement<long>(queue.DeadLetters, Class(queue))), "{request}", "Requests put aside for the operator.");
        _meter.CreateObservableGauge("queue_oldest_age", () => readings().Select(queue => new Measurement<double>(queue.OldestAge.TotalSeconds, Class(queue))), "s", "How long the oldest waits.");
        _meter.CreateObservableGauge("queue_drain_time", () => readings().Select(queue => new Measurement<double>(queue.DrainTime.TotalSeconds, Class(queue))), "s", "How long a request that came now would wait.");
    }

    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Class(QueueReading queue) => new("class", queue.WorkClass);
}

internal readonly record struct QueueReading(string WorkClass, long Waiting, long DeadLetters, TimeSpan OldestAge, TimeSpan DrainTime);
