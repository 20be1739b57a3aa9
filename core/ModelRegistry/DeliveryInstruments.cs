using System.Diagnostics.Metrics;
using R1Serverless.Abstractions.Telemetry;

namespace R1Serverless.ModelRegistry;

/// <summary>What becomes of versions that are activated. Free of charge while nobody listens.</summary>
public static class DeliveryInstruments
{
    private static readonly Meter Meter = new(Instruments.MeterName);
    private static readonly Counter<long> Swaps =
        Meter.CreateCounter<long>("model_swaps", "{swap}", "Changes to another version of a model, by outcome.");
    private static readonly Counter<long> Fetched =
        Meter.CreateCounter<long>("fetched_model_bytes", "By", "What was fetched of models from their repository.");

    /// <param name="outcome">active, or failed where the version before serves on.</param>
    public static void OnSwap(string model, string outcome) => Swaps.Add(1, new("model", model), new("outcome", outcome));

    public static void OnFetched(string model, long bytes) => Fetched.Add(bytes, new KeyValuePair<string, object?>("model", model));
}
