using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Auth;

namespace R1Serverless.Api.Endpoints;

/// <summary>Charges callers with a limit of tokens for what their answers cost.</summary>
internal sealed class TokenMeter(RateLimits rates)
{
    /// <param name="isFree">Asked when the events have ended; null for never.</param>
    public IAsyncEnumerable<InferenceEvent> Follow(HttpContext context, IAsyncEnumerable<InferenceEvent> events, Func<bool>? isFree,
        CancellationToken cancellationToken) =>
        RequestIdentity.CallerOf(context) is { Limits.TokensPerMinute: not null } caller ? FollowAsync(caller, events, isFree, cancellationToken)
        : events;

    private async IAsyncEnumerable<InferenceEvent> FollowAsync(
        Caller caller, IAsyncEnumerable<InferenceEvent> events, Func<bool>? isFree, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long tokens = 0;
        try
        {
            await foreach (var inferenceEvent in events.WithCancellation(cancellationToken))
            {
                tokens = inferenceEvent switch
                {
                    InferenceEvent.Admitted admitted => admitted.PromptTokens,
                    // Of an answer that is cut off nobody learns the count; each piece of text is a token at least.
                    InferenceEvent.Delta => tokens + 1,
                    InferenceEvent.Finished { Usage: var usage } => (long)usage.PromptTokens + usage.CompletionTokens,
                    _ => tokens,
                };
                yield return inferenceEvent;
            }
        }
        finally
        {
            if (isFree is null || !isFree()) rates.Charge(caller, tokens);
        }
    }
}
