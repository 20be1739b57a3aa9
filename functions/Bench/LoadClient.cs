using R1Serverless.Abstractions;

namespace R1Serverless.Bench;

/// <summary>Requests of a load to the engine in this process, or to a server.</summary>
internal sealed class LoadClient(IInference inference, string model)
{
    /// <summary>Sends token ids, and asks for exactly so many more.</summary>
    /// <exception cref="BenchException">The request failed or gave another number of tokens.</exception>
    public async Task<int> SendAsync(int[] prompt, int outputTokens, Action onText, CancellationToken cancellation)
    {
        var tokens = await SendAsync(Request(new Prompt.Tokens(prompt), outputTokens) with { IgnoreEndOfSequence = true }, onText, cancellation);
        return tokens == outputTokens ? tokens : throw new BenchException($"{tokens} tokens instead of {outputTokens}.");
    }

    /// <summary>Sends the prompt's numbers as a chat message, as not every server takes token ids; an answer may end early.</summary>
    /// <param name="ignoreEnd">Ask that it doesn't.</param>
    /// <exception cref="BenchException">The request failed.</exception>
    public Task<int> ChatAsync(int[] prompt, int outputTokens, bool ignoreEnd, Action onText, CancellationToken cancellation)
    {
        Prompt.Chat chat = new([new ChatMessage(ChatRole.User, $"Tell a long story about these numbers: {string.Join(' ', prompt)}")]);
        // The server's own precision: others than ours don't know the wish.
        var request = Request(chat, outputTokens) with { IgnoreEndOfSequence = ignoreEnd, Precision = new() { IsServerDefault = true } };
        return SendAsync(request, onText, cancellation);
    }

    private InferenceRequest Request(Prompt prompt, int outputTokens) => new()
    {
        Id = RequestId.New(), Model = model, Prompt = prompt, Sampling = new SamplingOptions { Temperature = 0 }, MaxTokens = outputTokens,
    };

    private async Task<int> SendAsync(InferenceRequest request, Action onText, CancellationToken cancellation)
    {
        var (texts, tokens) = (0, 0);
        await foreach (var inferenceEvent in inference.RunAsync(request, cancellation))
        {
            if (inferenceEvent is InferenceEvent.Delta)
            {
                onText();
                texts++;
            }
            else if (inferenceEvent is InferenceEvent.Finished finished)
            {
                tokens = finished.Usage.CompletionTokens;
            }
            else if (inferenceEvent is InferenceEvent.Failed failed)
            {
                throw new BenchException(failed.Error.Message);
            }
        }

        // A server that tells no usage sends a token at a time, most likely.
        return tokens > 0 ? tokens : texts;
    }
}
