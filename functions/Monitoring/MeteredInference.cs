using System.Diagnostics;
using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;

namespace R1Serverless.Monitoring;

/// <summary>A span and the measures of each request that the engine answers. Events pass untouched.</summary>
internal sealed class MeteredInference(IInference inner, TimeProvider time) : IInference
{
    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var operation = Operation(request.Prompt);
        long start = time.GetTimestamp(), first = 0;
        List<string> reasons = [];
        InferenceEvent? last = null;
        // A client's own words would make a name of each: the engine knows none but its models.
        var model = "unknown";
        using var span = Activities.BeginInference(operation, request.Model, request.Id.Value);
        try
        {
            await foreach (var inferenceEvent in inner.RunAsync(request, cancellationToken))
            {
                switch (inferenceEvent)
                {
                    case InferenceEvent.Admitted admitted:
                        model = request.Model;
                        span.OnAdmitted(admitted.PromptTokens, PrecisionName.Of(admitted.Variant.Precision));
                        break;
                    case InferenceEvent.Delta when first == 0:
                        first = time.GetTimestamp();
                        span.OnFirstToken();
                        InferenceInstruments.OnFirstToken(operation, model, time.GetElapsedTime(start, first));
                        break;
                    case InferenceEvent.ChoiceFinished finished:
                        reasons.Add(finished.Reason == FinishReason.Stop ? "stop" : "length");
                        break;
                    case InferenceEvent.Finished or InferenceEvent.Failed:
                        last = inferenceEvent;
                        break;
                }

                yield return inferenceEvent;
            }
        }
        finally
        {
            End(span, operation, model, last, [.. reasons], time.GetElapsedTime(start), first == 0 ? TimeSpan.Zero : time.GetElapsedTime(first));
        }
    }

    /// <summary>OpenTelemetry's names where it has one.</summary>
    private static string Operation(Prompt prompt) => prompt switch
    {
        Prompt.Chat => "chat",
        Prompt.Texts { Task: TextTask.Embed } => "embeddings",
        Prompt.Texts { Task: TextTask.Rank } => "rerank",
        Prompt.Texts => "classify",
        Prompt.Series => "series",
        _ => "text_completion",
    };

    private static void End(Activity? span, string operation, string model, InferenceEvent? last, string[] reasons, TimeSpan elapsed,
        TimeSpan generating)
    {
        string? error = null;
        var outcome = RequestOutcome.Finished;
        switch (last)
        {
            case InferenceEvent.Finished { Usage: var usage }:
                span.OnFinished(usage.CompletionTokens, reasons);
                InferenceInstruments.OnTokens(operation, model, usage.PromptTokens, usage.CompletionTokens, generating);
                break;
            case InferenceEvent.Failed failed:
                (error, outcome) = (failed.Error.Kind.ToString(), ResultFold.OutcomeOf(failed.Error));
                break;
            default:
                // Whoever asked no longer listens.
                (error, outcome) = (nameof(InferenceErrorKind.Cancelled), RequestOutcome.Cancelled);
                break;
        }

        if (error is not null) span.OnFailed(error);
        InferenceInstruments.OnEnded(operation, model, outcome.ToString(), error, elapsed);
    }
}
