using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>A stored result told as the events of its request, for those that come after it has ended.</summary>
public static class ResultEvents
{
    public static IEnumerable<InferenceEvent> Of(InferenceResult result)
    {
        if (result.Variant is { } variant) yield return new InferenceEvent.Admitted(result.Usage?.PromptTokens ?? 0, variant);
        for (int choice = 0; choice < result.Choices.Count; choice++)
        {
            ChoiceResult answer = result.Choices[choice];
            for (int part = 0; part < answer.Parts.Count; part++)
            {
                // Probabilities are kept for the answer as a whole: they come with its last part.
                bool isLast = part == answer.Parts.Count - 1;
                yield return new InferenceEvent.Delta(choice, answer.Parts[part].Kind, answer.Parts[part].Text, isLast ? answer.Logprobs : null);
            }

            if (answer.Reason is { } reason) yield return new InferenceEvent.ChoiceFinished(choice, reason);
        }

        if (result.Outcome == RequestOutcome.Finished) yield return new InferenceEvent.Finished(result.Usage ?? new Usage(0, 0, 0));
        else yield return new InferenceEvent.Failed(result.Error ?? new InferenceError(InferenceErrorKind.Internal, "The request failed."));
    }
}
