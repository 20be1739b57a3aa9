using System.Text;
using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>Names sampled tokens for the client.</summary>
internal static class TokenLogprobs
{
    /// <summary>Null where no probabilities were asked for, and for tokens without text.</summary>
    public static TokenLogprob? Of(in SampledToken token, ITokenizer tokenizer)
    {
        if (token.Alternatives is not { } alternatives || tokenizer.Bytes(token.Id).IsEmpty) return null;
        return Named(token.Id, token.Logprob, [.. alternatives.Select(a => Named(a.Id, a.Logprob, [], tokenizer))], tokenizer);
    }

    /// <summary>Bytes that are no whole characters are U+FFFD in the name.</summary>
    private static TokenLogprob Named(int id, float logprob, IReadOnlyList<TokenLogprob> top, ITokenizer tokenizer)
    {
        var bytes = tokenizer.Bytes(id);
        return new TokenLogprob(Encoding.UTF8.GetString(bytes), bytes.ToArray(), logprob, top);
    }
}
