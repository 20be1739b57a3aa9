using System.Diagnostics.Metrics;
using R1Serverless.Abstractions.Telemetry;

namespace R1Serverless.Queues;

/// <summary>What happens to queued requests, as verbs of the domain. Free of charge while nobody listens.</summary>
internal static class QueueInstruments
{
    private static readonly Meter Meter = new(Instruments.MeterName);
    private static readonly Counter<long> Enqueued = Meter.CreateCounter<long>("enqueued_requests", "{request}", "Requests put into the queue.");
    private static readonly Counter<long> Leased = Meter.CreateCounter<long>("leased_requests", "{request}", "Deliveries to workers.");
    private static readonly Counter<long> Redelivered =
        Meter.CreateCounter<long>("redelivered_requests", "{request}", "Deliveries after the first of their request.");
    private static readonly Counter<long> Completed =
        Meter.CreateCounter<long>("completed_requests", "{request}", "Requests that left the queue with a result.");
    private static readonly Counter<long> Abandoned =
        Meter.CreateCounter<long>("abandoned_requests", "{request}", "Deliveries given back to the queue.");
    private static readonly Counter<long> DeadLettered =
        Meter.CreateCounter<long>("dead_lettered_requests", "{request}", "Requests put aside for the operator.");
    private static readonly Counter<long> Lost = Meter.CreateCounter<long>("lost_leases", "{lease}", "Leases that ended under their worker.");
    private static readonly Counter<long> PrefixLeased = Meter.CreateCounter<long>(
        "prefix_leases", "{request}", "Deliveries of requests that a worker was named for, since it ran a prompt that begins alike.");
    private static readonly Histogram<double> Waited = Meter.CreateHistogram(
        "queue_wait", "s", "From enqueueing to the lease.", tags: null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800,
        7200]
        });

    public static void OnEnqueued(string workClass, int requests) => Enqueued.Add(requests, Class(workClass));

    /// <param name="delivery">From 1.</param>
    public static void OnLeased(string workClass, int delivery, TimeSpan waited)
    {
        Leased.Add(1, Class(workClass));
        Waited.Record(waited.TotalSeconds, Class(workClass));
        if (delivery > 1) Redelivered.Add(1, Class(workClass));
    }

    /// <param name="isNamed">Whether the worker that was named has it, or another, as the named one was busy or gone.</param>
    public static void OnPrefixLeased(bool isNamed) => PrefixLeased.Add(1, new KeyValuePair<string, object?>("worker", isNamed ? "named" : "other"));

    /// <param name="outcome">How the request ended, or that its result was there already.</param>
    public static void OnCompleted(string workClass, string outcome) => Completed.Add(1, Class(workClass), new("outcome", outcome));

    /// <param name="reason">Drain or the kind of the failure.</param>
    public static void OnAbandoned(string workClass, string reason) => Abandoned.Add(1, Class(workClass), new("reason", reason));

    public static void OnDeadLettered(string workClass) => DeadLettered.Add(1, Class(workClass));

    public static void OnLeaseLost(string workClass) => Lost.Add(1, Class(workClass));

    private static KeyValuePair<string, object?> Class(string workClass) => new("class", workClass);
}
