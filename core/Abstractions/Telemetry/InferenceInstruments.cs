using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace R1Serverless.Abstractions.Telemetry;

/// <summary>What requests cost and how they end, from their submission to the engine. Names and buckets are those of OpenTelemetry's conventions for
/// generative AI, where it has them.</summary>
public static class InferenceInstruments
{
    public const string Operation = "gen_ai.operation.name", Model = "gen_ai.request.model", Provider = "gen_ai.provider.name",
        ProviderName = "r1serverless";

    private static readonly Meter Meter = new(Instruments.MeterName);
    private static readonly Counter<long> Requests =
        Meter.CreateCounter<long>("inference_requests", "{request}", "Requests that the engine has ended, by outcome.");

    private static readonly Histogram<double> Duration = Seconds(
        "gen_ai.server.request.duration", "From the engine's door to the last token.", 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12,
        10.24, 20.48, 40.96, 81.92);

    private static readonly Histogram<double> FirstToken = Seconds(
        "gen_ai.server.time_to_first_token", "From the engine's door to the first text.", 0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,
        0.75, 1, 2.5, 5, 7.5, 10);

    private static readonly Histogram<double> PerToken = Seconds(
        "gen_ai.server.time_per_output_token", "Between the tokens after the first.", 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
        0.3, 0.4, 0.5, 0.75, 1, 2.5);

    private static readonly Histogram<long> Tokens = Meter.CreateHistogram(
        "gen_ai.client.token.usage", "{token}", "Tokens of one request, of its prompt and of its answer.", tags: null,
        new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576] });

    public static void OnFirstToken(string operation, string model, TimeSpan after) => FirstToken.Record(after.TotalSeconds, Tags(operation, model));

    /// <param name="outcome">finished, or how else it ended.</param>
    /// <param name="error">The kind of the failure; null where there is none.</param>
    public static void OnEnded(string operation, string model, string outcome, string? error, TimeSpan elapsed)
    {
        var tags = Tags(operation, model);
        if (error is not null) tags.Add("error.type", error);
        Duration.Record(elapsed.TotalSeconds, tags);
        Requests.Add(1, new KeyValuePair<string, object?>(Model, model), new("outcome", outcome));
    }

    /// <param name="generating">From the first text to the last.</param>
    public static void OnTokens(string operation, string model, int prompt, int completion, TimeSpan generating)
    {
        var tags = Tags(operation, model);
        if (completion > 1) PerToken.Record(generating.TotalSeconds / (completion - 1), tags);
        TagList input = tags, output = tags;
        input.Add("gen_ai.token.type", "input");
        output.Add("gen_ai.token.type", "output");
        Tokens.Record(prompt, input);
        Tokens.Record(completion, output);
    }

    private static Histogram<double> Seconds(string name, string description, params double[] buckets) =>
        Meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = buckets });

    private static TagList Tags(string operation, string model) => new() { { Operation, operation }, { Model, model }, { Provider, ProviderName } };
}
