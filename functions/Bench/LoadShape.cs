namespace R1Serverless.Bench;

/// <summary>A load: clients that each send one request after the other, greedy, with prompts of random token ids.</summary>
/// <param name="Clients">Requests at once.</param>
/// <param name="PromptTokens">Tokens of each prompt.</param>
/// <param name="OutputTokens">Tokens that each request asks for, in order; the clients take them one by one.</param>
internal sealed record LoadShape(int Clients, int PromptTokens, IReadOnlyList<int> OutputTokens)
{
    /// <summary>Token ids below this are control tokens in r1-nano; prompts keep clear of them.</summary>
    private const int FirstId = 10;
    private const int LastId = 800;

    /// <summary>Every client sends <paramref name="waves"/> requests of the same length.</summary>
    public static LoadShape Uniform(int clients, int waves, int promptTokens, int outputTokens) =>
        new(clients, promptTokens, [.. Enumerable.Repeat(outputTokens, clients * waves)]);

    /// <summary>The number of the first request's prompt: others than before, where a server may still know those.</summary>
    public int FirstPrompt { get; init; }

    public int[] Prompt(int request)
    {
        var random = new Random(FirstPrompt + request);
        return [.. Enumerable.Range(0, PromptTokens).Select(_ => random.Next(FirstId, LastId))];
    }
}
