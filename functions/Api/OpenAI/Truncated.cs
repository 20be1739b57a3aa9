namespace R1Serverless.Api.OpenAI;

/// <summary>What a client wrote, cut to a length that a message can carry.</summary>
internal static class Truncated
{
    private const int Longest = 64;

    public static string Name(string text) => text.Length <= Longest ? text : string.Concat(text.AsSpan(0, Longest), "…");
}
