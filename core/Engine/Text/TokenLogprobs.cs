using System.Globalization;
using System.Text;
using System.Text.Unicode;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Models.Text;

namespace R1Serverless.Engine.Text;

/// <summary>Names sampled tokens for the client.</summary>
internal static class TokenLogprobs
{
    /// <summary>Null where no probabilities were asked for, and for tokens without text.</summary>
    public static TokenLogprob? Of(in SampledToken token, ITokenizer tokenizer)
    {
        if (token.Alternatives is not { } alternatives || tokenizer.Bytes(token.Id).IsEmpty) return null;
        return Named(token.Id, token.Logprob, [.. alternatives.Select(a => Named(a.Id, a.Logprob, [], tokenizer))], tokenizer);
    }

    /// <summary>The name is the token's text, or its bytes where they are no whole characters, as OpenAI's API writes them: <c>bytes:\xe4\xbd</c>. So
    /// no two tokens of different bytes have one name.</summary>
    private static TokenLogprob Named(int id, float logprob, IReadOnlyList<TokenLogprob> top, ITokenizer tokenizer)
    {
        var bytes = tokenizer.Bytes(id);
        return new TokenLogprob(Name(bytes), bytes.ToArray(), logprob, top);
    }

    private static string Name(ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes)) return Encoding.UTF8.GetString(bytes);
        StringBuilder name = new("bytes:");
        foreach (var one in bytes) name.Append("\\x").Append(one.ToString("x2", CultureInfo.InvariantCulture));
        return name.ToString();
    }
}
