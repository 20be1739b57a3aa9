using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>How full the queues are and how fast they drain, sampled every few seconds: for refusals, autoscaling and the operator. Safe for several
/// threads.</summary>
public sealed partial class QueueSignals : IDisposable
{
    /// <summary>How old a signal may be.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    private static readonly WorkClass[] Classes = Enum.GetValues<WorkClass>();

    private readonly IRequestQueue _queue;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ClassSignals[] _signals = [.. Classes.Select(_ => ClassSignals.None)];
    private readonly QueueGauges _gauges;

    public QueueSignals(IRequestQueue queue, TimeProvider time, ILogger log)
    {
        (_queue, _time, _log) = (queue, time, log);
        _gauges = new QueueGauges(Of);
    }

    /// <summary>The last sample of a queue; <see cref="QueueSignal.None"/> before the first.</summary>
    public QueueSignal Of(WorkClass workClass) => Volatile.Read(ref _signals[(int)workClass]).All;

    /// <summary>How long a request that came now would wait for a worker: behind those of its model, where the queue tells models apart.</summary>
    public TimeSpan EstimatedWait(WorkClass workClass, string model)
    {
        var signals = Volatile.Read(ref _signals[(int)workClass]);
        if (signals.Models.Count == 0) return signals.All.EstimatedWait;
        var own = signals.Models.GetValueOrDefault(model, QueueSignal.None).EstimatedWait;
        var any = signals.Models.GetValueOrDefault(RequestRoute.Any.Model, QueueSignal.None).EstimatedWait;
        return own > any ? own : any;
    }

    /// <summary>Samples until cancelled. Where the queue can't be reached, the last signals stay.</summary>
    public Task RunAsync(CancellationToken cancellationToken)
    {
        ClassTrends[] trends = [.. Classes.Select(_ => new ClassTrends())];
        var start = _time.GetTimestamp();
        return BackgroundWork.RepeatAsync(
            Period, _time,
            async stop =>
            {
                foreach (var workClass in Classes) await SampleAsync(workClass, trends[(int)workClass], start, stop);
            },
            cancellationToken);
    }

    public void Dispose() => _gauges.Dispose();

    private async Task SampleAsync(WorkClass workClass, ClassTrends trends, long start, CancellationToken cancellationToken)
    {
        try
        {
            var statistics = await _queue.StatisticsAsync(workClass, cancellationToken);
            Volatile.Write(ref _signals[(int)workClass], trends.Add(_time.GetElapsedTime(start), statistics));
        }
        catch (TransportException fault)
        {
            LogNotSampled(WorkClassName.Of(workClass), fault.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not sample the {Class} queue: {Fault}")]
    private partial void LogNotSampled(string @class, string fault);
}

/// <summary>The last sample of a queue, and of each model in it.</summary>
internal sealed record ClassSignals(QueueSignal All, IReadOnlyDictionary<string, QueueSignal> Models)
{
    public static ClassSignals None { get; } = new(QueueSignal.None, new Dictionary<string, QueueSignal>());
}

/// <summary>The trends of a queue, and of each model in it.</summary>
internal sealed class ClassTrends
{
    private readonly QueueTrend _all = new();
    private Dictionary<string, QueueTrend> _models = new(StringComparer.Ordinal);

    /// <inheritdoc cref="QueueTrend.Add"/>
    public ClassSignals Add(TimeSpan now, QueueStatistics statistics)
    {
        _models = statistics.Models.ToDictionary(
            model => model.Model, model => _models.GetValueOrDefault(model.Model) ?? new QueueTrend(), StringComparer.Ordinal);
        var models = statistics.Models.ToDictionary(
            model => model.Model,
            model => _models[model.Model].Add(now, new QueueStatistics(model.Waiting, model.Leased, 0, model.OldestAge)), StringComparer.Ordinal);
        var all = _all.Add(now, statistics);
        // The worst of them: a queue whose models drain apart is not first in, first out.
        return new ClassSignals(models.Count == 0 ? all : all with { EstimatedWait = models.Values.Max(model => model.EstimatedWait) }, models);
    }
}
