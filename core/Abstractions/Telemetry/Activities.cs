using System.Diagnostics;

namespace R1Serverless.Abstractions.Telemetry;

/// <summary>
/// The spans of a request's way, as verbs of the domain; null, and free of charge, while nobody listens. Names and attributes are OpenTelemetry's for
/// messaging and generative AI, where it has them. No prompt, answer or key is ever among them.
/// </summary>
public static class Activities
{
    public const string SourceName = "R1Serverless";

    private const string Failed = "error.type";
    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Whether anybody listens.</summary>
    public static bool AreRecorded => Source.HasListeners();

    /// <summary>A request goes into its queue. Its id is what the message carries.</summary>
    public static Activity? BeginEnqueue(string workClass, string request) =>
        Message(Source.StartActivity($"send {workClass}", ActivityKind.Producer), workClass, request, "send");

    /// <summary>A worker brings a leased request to its end.</summary>
    /// <param name="traceParent">From the message; null or malformed where the request belongs to no trace.</param>
    /// <param name="delivery">From 1.</param>
    public static Activity? BeginDelivery(string workClass, string request, int delivery, string? traceParent)
    {
        if (!AreRecorded) return null;
        var parent = ActivityContext.TryParse(traceParent, null, isRemote: true, out var known) ? known : default;
        var begun = Message(Source.StartActivity($"process {workClass}", ActivityKind.Consumer, parent), workClass, request, "process");
        return begun?.SetTag("r1.delivery", delivery);
    }

    /// <summary>The engine answers a request.</summary>
    /// <param name="operation">chat or text_completion.</param>
    public static Activity? BeginInference(string operation, string model, string request) =>
        Source.StartActivity($"{operation} {model}", ActivityKind.Internal)?
            .SetTag(InferenceInstruments.Operation, operation).SetTag(InferenceInstruments.Model, model)
            .SetTag(InferenceInstruments.Provider, InferenceInstruments.ProviderName)
            .SetTag("gen_ai.response.id", request);

    /// <summary>It was admitted.</summary>
    public static void OnAdmitted(this Activity? activity, int promptTokens, string precision) =>
        activity?.SetTag("gen_ai.usage.input_tokens", promptTokens).SetTag("r1.precision", precision).AddEvent(new ActivityEvent("admitted"));

    public static void OnFirstToken(this Activity? activity) => activity?.AddEvent(new ActivityEvent("first token"));

    public static void OnFinished(this Activity? activity, int completionTokens, string[] reasons) =>
        activity?.SetTag("gen_ai.usage.output_tokens", completionTokens).SetTag("gen_ai.response.finish_reasons", reasons);

    /// <param name="kind">Of a fixed few; never a message, which may quote the request.</param>
    public static void OnFailed(this Activity? activity, string kind) => activity?.SetTag(Failed, kind).SetStatus(ActivityStatusCode.Error, kind);

    /// <param name="outcome">How the delivery ended.</param>
    public static void OnEnded(this Activity? activity, string outcome) => activity?.SetTag("r1.outcome", outcome);

    private static Activity? Message(Activity? activity, string workClass, string request, string operation) => activity?
        .SetTag("messaging.system", "r1serverless").SetTag("messaging.destination.name", workClass)
        .SetTag("messaging.operation.name", operation).SetTag("messaging.operation.type", operation).SetTag("messaging.message.id", request);
}
