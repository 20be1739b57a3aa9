using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Inference;

/// <summary>Answers a request that wants the likeliest of several candidates: those whose tokens have the highest mean log-probability, likeliest
/// first. All of them count in the usage.</summary>
internal static class BestOf
{
    /// <param name="request">With more candidates than choices.</param>
    /// <param name="run">Answers a request whose candidates are its choices.</param>
    public static async IAsyncEnumerable<InferenceEvent> RunAsync(
        InferenceRequest request, Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> run,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var all = request with { Choices = request.BestOf!.Value, BestOf = null, TopLogprobs = request.TopLogprobs ?? 0 };
        ResultFold fold = new(request.Id, hasLogprobs: true);
        await foreach (var inferenceEvent in run(all, cancellationToken))
        {
            fold.Add(inferenceEvent);
            if (inferenceEvent is InferenceEvent.Admitted or InferenceEvent.Failed) yield return inferenceEvent;
        }

        var result = fold.Result();
        if (result.Usage is not { } usage) yield break;
        var choice = 0;
        foreach (var candidate in result.Choices.OrderByDescending(Likelihood).Take(request.Choices))
        {
            for (var part = 0; part < candidate.Parts.Count; part++)
            {
                var isLast = part == candidate.Parts.Count - 1;
                yield return new InferenceEvent.Delta(choice, candidate.Parts[part].Kind, candidate.Parts[part].Text,
                    isLast && request.TopLogprobs is not null ? candidate.Logprobs : null);
            }

            yield return new InferenceEvent.ChoiceFinished(choice++, candidate.Reason ?? FinishReason.Stop, candidate.UnopenedReasoning);
        }

        yield return new InferenceEvent.Finished(usage);
    }

    /// <summary>A candidate that ended at once is the last.</summary>
    private static double Likelihood(ChoiceResult candidate) =>
        candidate.Logprobs is { Count: > 0 } tokens ? tokens.Average(token => token.Logprob) : double.NegativeInfinity;
}
