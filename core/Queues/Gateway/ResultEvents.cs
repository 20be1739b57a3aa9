using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Gateway;

/// <summary>A stored result told as the events of its request, for those that come after it has ended.</summary>
public static class ResultEvents
{
    public static IEnumerable<InferenceEvent> Of(InferenceResult result)
    {
        if (result.Variant is { } variant) yield return new InferenceEvent.Admitted(result.Usage?.PromptTokens ?? 0, variant);
        for (var choice = 0; choice < result.Choices.Count; choice++)
        {
            var answer = result.Choices[choice];
            for (var part = 0; part < answer.Parts.Count; part++)
            {
                // Probabilities are kept for the answer as a whole: they come with its last part.
                var isLast = part == answer.Parts.Count - 1;
                yield return new InferenceEvent.Delta(choice, answer.Parts[part].Kind, answer.Parts[part].Text, isLast ? answer.Logprobs : null);
            }

            if (answer.Reason is { } reason) yield return new InferenceEvent.ChoiceFinished(choice, reason, answer.UnopenedReasoning);
        }

        if (result.Outputs is { } outputs) yield return new InferenceEvent.Outputs(outputs);
        if (result.Series is { } series) yield return new InferenceEvent.Decided(series);
        if (result.Outcome == RequestOutcome.Finished) yield return new InferenceEvent.Finished(result.Usage ?? new Usage(0, 0, 0));
        else yield return new InferenceEvent.Failed(result.Error ?? new InferenceError(InferenceErrorKind.Internal, "The request failed."));
    }
}
