using System.Diagnostics.Metrics;

namespace R1Serverless.Abstractions.Telemetry;

/// <summary>What the engine measures, as verbs of the domain. Free of charge while nobody listens.</summary>
public static class Instruments
{
    public const string MeterName = "R1Serverless";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Histogram<double> BatchLatency = Meter.CreateHistogram(
        "batch_latency", "s", "Time of one model run.", tags: null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
        1, 2.5, 5]
        });

    private static readonly Histogram<int> BatchRows = Meter.CreateHistogram(
        "batch_rows", "{row}", "Rows of one model run.", tags: null,
        new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] });

    private static readonly Counter<long> OutOfMemory =
        Meter.CreateCounter<long>("oom_error", "{step}", "Steps that did not fit into device memory and were rolled back.");
    private static readonly Counter<long> Tokens = Meter.CreateCounter<long>("generated_tokens", "{token}", "Tokens that the engine has sampled.");
    private static readonly Counter<long> Preempted =
        Meter.CreateCounter<long>("preempted_sequences", "{sequence}", "Sequences that had to leave their slot for a while.");

    private static readonly Counter<long> PromptTokens = Meter.CreateCounter<long>(
        "prompt_tokens", "{token}", "Tokens of prompts, by whether they were computed or taken from a shared prefix.");

    private static readonly UpDownCounter<long> KvMemory = Meter.CreateUpDownCounter<long>(
        "kv_memory", "By", "Memory for keys and values that is taken, by what it holds: slots, or prefixes that are kept.");

    private static readonly UpDownCounter<long> SequenceTokens = Meter.CreateUpDownCounter<long>(
        "sequence_tokens", "{token}", "Tokens of all running sequences, each counted for itself even where they share memory.");

    private static readonly Counter<long> EvictedPrefixTokens =
        Meter.CreateCounter<long>("evicted_prefix_tokens", "{token}", "Tokens of shared prefixes that left for others, or for slots.");

    private static readonly Counter<long> SavedPrefixTokens =
        Meter.CreateCounter<long>("saved_prefix_tokens", "{token}", "Tokens of shared prefixes that were written to the disk.");

    private static readonly Counter<long> RecalledPrefixTokens =
        Meter.CreateCounter<long>("recalled_prefix_tokens", "{token}", "Tokens of shared prefixes that were taken from the disk.");

    private static readonly Histogram<double> PrefixAttachTime = Meter.CreateHistogram(
        "prefix_attach_time", "s", "Time to put a shared prefix into a slot.", tags: null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1] });

    /// <summary>Whether somebody listens.</summary>
    public static bool WatchesKvMemory => KvMemory.Enabled || SequenceTokens.Enabled;

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

    /// <param name="isShared">Taken from a shared prefix; else computed.</param>
    public static void OnPromptTokens(string model, int tokens, bool isShared) =>
        PromptTokens.Add(tokens, new("model", model), new("source", isShared ? "shared" : "computed"));

    /// <param name="use">slots or prefixes.</param>
    /// <param name="bytes">More than before, or less.</param>
    public static void OnKvMemory(string model, string use, long bytes) => KvMemory.Add(bytes, new("model", model), new("use", use));

    /// <param name="tokens">More than before, or less.</param>
    public static void OnSequenceTokens(string model, long tokens) => SequenceTokens.Add(tokens, new KeyValuePair<string, object?>("model", model));

    public static void OnPrefixEvicted(string model, int tokens) =>
        EvictedPrefixTokens.Add(tokens, new KeyValuePair<string, object?>("model", model));

    public static void OnPrefixSaved(string model, int tokens) =>
        SavedPrefixTokens.Add(tokens, new KeyValuePair<string, object?>("model", model));

    public static void OnPrefixRecalled(string model, int tokens) =>
        RecalledPrefixTokens.Add(tokens, new KeyValuePair<string, object?>("model", model));

    public static void OnPrefixAttached(string model, TimeSpan elapsed) =>
        PrefixAttachTime.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("model", model));

    public static void OnPreempted(string model) => Preempted.Add(1, new KeyValuePair<string, object?>("model", model));
}
