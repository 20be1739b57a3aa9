using System.Diagnostics.Metrics;

namespace R1Serverless.Telemetry;

/// <summary>What the engine measures, as verbs of the domain. Free of charge while nobody listens.</summary>
internal static class Instruments
{
    public const string MeterName = "R1Serverless";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Histogram<double> BatchLatency = Meter.CreateHistogram<double>("batch_latency", "s", "Time of one model run.");
    private static readonly Histogram<int> BatchRows = Meter.CreateHistogram<int>("batch_rows", "{row}", "Rows of one model run.");
    private static readonly Counter<long> OutOfMemory = Meter.CreateCounter<long>("oom_error", "{step}", "Steps that did not fit into device memory and were rolled back.");
    private static readonly Counter<long> Tokens = Meter.CreateCounter<long>("generated_tokens", "{token}");
    private static readonly Counter<long> Preempted = Meter.CreateCounter<long>("preempted_sequences", "{sequence}");

    public static void OnStep(string model, string phase, int rows, TimeSpan elapsed)
    {
        if (!BatchLatency.Enabled && !BatchRows.Enabled) return;
        BatchLatency.Record(elapsed.TotalSeconds, new("model", model), new("phase", phase));
        BatchRows.Record(rows, new("model", model), new("phase", phase));
    }

    public static void OnToken(string model)
    {
        if (Tokens.Enabled) Tokens.Add(1, new KeyValuePair<string, object?>("model", model));
    }

    public static void OnOutOfMemory(string model) => OutOfMemory.Add(1, new KeyValuePair<string, object?>("model", model));

    public static void OnPreempted(string model) => Preempted.Add(1, new KeyValuePair<string, object?>("model", model));
}
