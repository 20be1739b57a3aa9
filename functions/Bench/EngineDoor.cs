using R1Serverless.Requests;

namespace R1Serverless.Bench;

/// <summary>Requests to the engine in this process.</summary>
internal sealed class EngineDoor(IInference inference, string model)
{
    /// <exception cref="BenchException">The request failed or gave another number of tokens.</exception>
    public async Task<int> SendAsync(int[] prompt, int outputTokens, Action onText, CancellationToken cancellation)
    {
        var request = new InferenceRequest
        {
            Id = RequestId.New(),
            Model = model,
            Prompt = new Prompt.Tokens(prompt),
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = outputTokens,
            IgnoreEndOfSequence = true,
        };
        var tokens = 0;
        await foreach (var happened in inference.RunAsync(request, cancellation))
        {
            if (happened is InferenceEvent.Delta) onText();
            else if (happened is InferenceEvent.Finished finished) tokens = finished.Usage.CompletionTokens;
            else if (happened is InferenceEvent.Failed failed) throw new BenchException(failed.Error.Message);
        }

        return tokens == outputTokens ? tokens : throw new BenchException($"{tokens} tokens instead of {outputTokens}.");
    }
}
