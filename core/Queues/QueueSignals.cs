using Microsoft.Extensions.Logging;
using R1Serverless.Telemetry;

namespace R1Serverless.Queues;

/// <summary>How full the queues are and how fast they drain, sampled every few seconds: for refusals, autoscaling and the operator. Safe for several threads.</summary>
public sealed partial class QueueSignals : IDisposable
{
    /// <summary>How old a signal may be.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    private static readonly WorkClass[] Classes = Enum.GetValues<WorkClass>();

    private readonly IRequestQueue _queue;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly QueueSignal[] _signals = [.. Classes.Select(_ => QueueSignal.None)];
    private readonly QueueGauges _gauges;

    public QueueSignals(IRequestQueue queue, TimeProvider time, ILogger log)
    {
        (_queue, _time, _log) = (queue, time, log);
        _gauges = new QueueGauges(() => Classes.Select(Read));
    }

    /// <summary>The last sample of a queue; <see cref="QueueSignal.None"/> before the first.</summary>
    public QueueSignal Of(WorkClass workClass) => Volatile.Read(ref _signals[(int)workClass]);

    /// <summary>How long a request that came now would wait for a worker.</summary>
    public TimeSpan EstimatedWait(WorkClass workClass) => Of(workClass).EstimatedWait;

    /// <summary>Samples until cancelled. Where the queue can't be reached, the last signals stay.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        QueueTrend[] trends = [.. Classes.Select(_ => new QueueTrend())];
        long start = _time.GetTimestamp();
        try
        {
            using PeriodicTimer turns = new(Period, _time);
            do
            {
                foreach (WorkClass workClass in Classes) await SampleAsync(workClass, trends[(int)workClass], start, cancellationToken);
            }
            while (await turns.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // As told.
        }
    }

    public void Dispose() => _gauges.Dispose();

    private async Task SampleAsync(WorkClass workClass, QueueTrend trend, long start, CancellationToken cancellationToken)
    {
        try
        {
            QueueStatistics statistics = await _queue.StatisticsAsync(workClass, cancellationToken);
            Volatile.Write(ref _signals[(int)workClass], trend.Add(_time.GetElapsedTime(start), statistics));
        }
        catch (TransportException fault)
        {
            LogNotSampled(WorkClassName.Of(workClass), fault.Message);
        }
    }

    private QueueReading Read(WorkClass workClass)
    {
        QueueSignal signal = Of(workClass);
        return new QueueReading(WorkClassName.Of(workClass), signal.Statistics.Waiting, signal.Statistics.DeadLetters, signal.Statistics.OldestAge ?? TimeSpan.Zero, signal.EstimatedWait);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not sample the {Class} queue: {Fault}")]
    private partial void LogNotSampled(string @class, string fault);
}
