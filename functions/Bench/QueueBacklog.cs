using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Bench;

/// <summary>Short bulk requests that are put into a queue before anybody drains it.</summary>
internal sealed record QueueBacklog(string Model, LoadShape Shape)
{
    public const int PromptTokens = 8, LeastTokens = 8, MostTokens = 24;

    private const int PerEnqueue = 500;

    public int Count => Shape.OutputTokens.Count;

    public int Tokens => Shape.OutputTokens.Sum();

    public static QueuedRequest Request(string model, int[] prompt, int outputTokens) => new()
    {
        Class = WorkClass.Bulk,
        Request = new InferenceRequest
        {
            Id = RequestId.New(),
            Model = model,
            Prompt = new Prompt.Tokens(prompt),
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = outputTokens,
            IgnoreEndOfSequence = true,
        },
    };

    public async Task EnqueueAsync(IRequestQueue queue, CancellationToken cancellation)
    {
        foreach (int[] requests in Enumerable.Range(0, Count).Chunk(PerEnqueue))
            await queue.EnqueueAsync([.. requests.Select(request => Request(Model, Shape.Prompt(request), Shape.OutputTokens[request]))], cancellation);
    }
}
