using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>Token probabilities in the two APIs' shapes.</summary>
internal static class LogprobWire
{
    // JSON has no infinity; OpenAI writes this for "practically impossible".
    private const float Impossible = -9999;

    public static float Finite(float logprob) => float.IsFinite(logprob) ? logprob : Impossible;

    public static ChatTokenLogprob Chat(TokenLogprob token) =>
        new(token.Token, Finite(token.Logprob), Bytes(token), [.. token.Top.Select(one => new ChatTokenLogprob(one.Token, Finite(one.Logprob), Bytes(one), null))]);

    /// <param name="tokens">Consecutive tokens of one choice.</param>
    /// <param name="offset">Characters of the text before the first; moved on past the last.</param>
    public static TextLogprobs Text(IReadOnlyList<TokenLogprob> tokens, ref int offset)
    {
        int[] offsets = new int[tokens.Count];
        for (int i = 0; i < offsets.Length; i++)
        {
            offsets[i] = offset;
            offset += CharactersBegun(tokens[i].Bytes);
        }

        return new TextLogprobs(
            [.. tokens.Select(token => token.Token)], [.. tokens.Select(token => Finite(token.Logprob))], [.. tokens.Select(TopByText)], offsets);
    }

    /// <summary>Different ids can share a text (parts of a character); the likelier one, which comes first, keeps the name.</summary>
    private static Dictionary<string, float> TopByText(TokenLogprob token)
    {
        Dictionary<string, float> top = new(token.Top.Count, StringComparer.Ordinal);
        foreach (TokenLogprob one in token.Top) top.TryAdd(one.Token, Finite(one.Logprob));
        return top;
    }

    private static int CharactersBegun(byte[] utf8)
    {
        int count = 0;
        foreach (byte one in utf8)
        {
            if ((one & 0xC0) != 0x80) count++;
        }

        return count;
    }

    private static int[] Bytes(TokenLogprob token) => Array.ConvertAll(token.Bytes, one => (int)one);
}
