using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Token probabilities in the two APIs' shapes.</summary>
internal static class LogprobWire
{
    // JSON has no infinity; OpenAI writes this for "practically impossible".
    private const float Impossible = -9999;

    public static float Finite(float logprob) => float.IsFinite(logprob) ? logprob : Impossible;

    /// <summary>The alternatives are as many as were asked for: a chosen token that is none of the likeliest has the last one's place.</summary>
    public static ChatTokenLogprob Chat(TokenLogprob token) =>
        new(token.Token, Finite(token.Logprob), Bytes(token),
            [.. (IsAmongTop(token) ? token.Top : token.Top.Take(token.Top.Count - 1).Append(token)).Select(Alternative)]);

    /// <param name="tokens">Consecutive tokens of one choice.</param>
    /// <param name="offset">Characters of the text before the first; moved on past the last.</param>
    public static TextLogprobs Text(IReadOnlyList<TokenLogprob> tokens, ref int offset)
    {
        var offsets = new int[tokens.Count];
        for (var i = 0; i < offsets.Length; i++)
        {
            offsets[i] = offset;
            offset += CharactersBegun(tokens[i].Bytes);
        }

        return new TextLogprobs(
            [.. tokens.Select(token => token.Token)], [.. tokens.Select(token => Finite(token.Logprob))], [.. tokens.Select(TopByText)], offsets);
    }

    private static ChatTokenLogprob Alternative(TokenLogprob one) => new(one.Token, Finite(one.Logprob), Bytes(one), null);

    // Asked for none, there is no place for it.
    private static bool IsAmongTop(TokenLogprob token) => token.Top.Count == 0 || token.Top.Any(one => one.Bytes.AsSpan().SequenceEqual(token.Bytes));

    /// <summary>The chosen token is always among them, which makes one more than were asked for where it is none of the likeliest. Of different ids
    /// with one text the likelier one, which comes first, keeps the name.</summary>
    private static Dictionary<string, float> TopByText(TokenLogprob token)
    {
        Dictionary<string, float> top = new(token.Top.Count + 1, StringComparer.Ordinal);
        foreach (var one in token.Top.Append(token)) top.TryAdd(one.Token, Finite(one.Logprob));
        return top;
    }

    private static int CharactersBegun(byte[] utf8)
    {
        var count = 0;
        foreach (var one in utf8)
        {
            if ((one & 0xC0) != 0x80) count++;
        }

        return count;
    }

    private static int[] Bytes(TokenLogprob token) => Array.ConvertAll(token.Bytes, one => (int)one);
}
