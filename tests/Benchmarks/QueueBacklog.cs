using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Short bulk requests that are put into a queue before anybody drains it.</summary>
internal sealed record QueueBacklog(string Model, LoadShape Shape)
{
    public const int PromptTokens = 8, MinTokens = 8, MaxTokens = 24;

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
        foreach (var requests in Enumerable.Range(0, Count).Chunk(PerEnqueue))
            await queue.EnqueueAsync([.. requests.Select(request => Request(Model, Shape.Prompt(request), Shape.OutputTokens[request]))],
                cancellation);
    }
}
