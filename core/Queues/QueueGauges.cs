using System.Diagnostics.Metrics;
using R1Serverless.Abstractions.Telemetry;

namespace R1Serverless.Queues;

/// <summary>The queues as an autoscaler looks at them.</summary>
internal sealed class QueueGauges : IDisposable
{
    private readonly Meter _meter = new(Instruments.MeterName);

    /// <param name="signal">The last known state of a queue; read whenever somebody collects.</param>
    public QueueGauges(Func<WorkClass, QueueSignal> signal)
    {
        Create("queue_length", "{request}", "Requests that nobody has leased.", now => now.Statistics.Waiting);
        Create("dead_letters", "{request}", "Requests put aside for the operator.", now => now.Statistics.DeadLetters);
        Create("queue_oldest_age", "s", "How long the oldest waits.", now => (now.Statistics.OldestAge ?? TimeSpan.Zero).TotalSeconds);
        Create("queue_drain_time", "s", "How long a request that came now would wait.", now => now.EstimatedWait.TotalSeconds);

        void Create<T>(string name, string unit, string description, Func<QueueSignal, T> value)
            where T : struct => _meter.CreateObservableGauge(
                name,
                () => Enum.GetValues<WorkClass>().Select(one => new Measurement<T>(
                    value(signal(one)), new KeyValuePair<string, object?>("class", WorkClassName.Of(one)))),
                unit, description);
    }

    public void Dispose() => _meter.Dispose();
}
