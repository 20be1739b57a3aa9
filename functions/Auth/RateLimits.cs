using System.Collections.Concurrent;
using System.Globalization;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Auth;

/// <summary>Requests and tokens per minute, for callers that have such limits; reported in OpenAI's headers. Each process counts for itself. Safe
/// for several threads.</summary>
internal sealed class RateLimits(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Allowance> _allowances = new(StringComparer.Ordinal);

    /// <summary>Counts a call; why it is refused if there have been too many, else null. Sets the headers that tell what is left.</summary>
    public ApiError? TryEnter(Caller caller, IHeaderDictionary headers)
    {
        var limits = caller.Limits;
        if (limits is { RequestsPerMinute: null, TokensPerMinute: null }) return null;
        var allowance = _allowances.GetOrAdd(caller.Owner, _ => new Allowance(new TokenBucket(time), new TokenBucket(time)));
        ApiError? refusal = null;
        lock (allowance)
        {
            if (limits.TokensPerMinute is { } tokens)
            {
                allowance.Tokens.Refill(tokens);
                if (allowance.Tokens.Remaining < 1) refusal = TooMany("tokens", tokens, allowance.Tokens, "token_limit_exceeded");
                Tell(headers, "tokens", allowance.Tokens);
            }

            if (limits.RequestsPerMinute is { } requests)
            {
                allowance.Requests.Refill(requests);
                if (allowance.Requests.Remaining < 1) refusal ??= TooMany("requests", requests, allowance.Requests, "request_limit_exceeded");
                else if (refusal is null) allowance.Requests.Take(1);
                Tell(headers, "requests", allowance.Requests);
            }
        }

        return refusal;
    }

    /// <summary>Takes what an answer has cost, prompt and completion.</summary>
    public void Charge(Caller caller, long tokens)
    {
        if (caller.Limits.TokensPerMinute is not { } limit || !_allowances.TryGetValue(caller.Owner, out var allowance)) return;
        lock (allowance)
        {
            allowance.Tokens.Refill(limit);
            allowance.Tokens.Take(tokens);
        }
    }

    private static ApiError TooMany(string what, int limit, TokenBucket bucket, string code) => ApiError.Busy(
        string.Create(CultureInfo.InvariantCulture, $"This API key may have {limit} {what} per minute, and has had them. Retry later."), code,
        bucket.UntilOne);

    private static void Tell(IHeaderDictionary headers, string what, TokenBucket bucket)
    {
        headers["x-ratelimit-limit-" + what] = bucket.PerMinute.ToString(CultureInfo.InvariantCulture);
        headers["x-ratelimit-remaining-" + what] = bucket.Remaining.ToString(CultureInfo.InvariantCulture);
        headers["x-ratelimit-reset-" + what] = Text(bucket.UntilFull);
    }

    // As OpenAI writes it: 1s, 6m0s, 120ms.
    private static string Text(TimeSpan wait)
    {
        var milliseconds = (long)Math.Ceiling(wait.TotalMilliseconds);
        return milliseconds switch
        {
            < 1000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds}ms"),
            < 60_000 => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1000.0:0.###}s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 60_000}m{milliseconds % 60_000 / 1000.0:0.###}s"),
        };
    }

    /// <summary>What one caller has left. Locked while in use.</summary>
    private sealed record Allowance(TokenBucket Requests, TokenBucket Tokens);
}
