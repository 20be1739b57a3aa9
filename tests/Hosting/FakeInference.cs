using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Hosting;

/// <summary>An engine whose events each test scripts.</summary>
internal sealed class FakeInference(Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> script) : IInference, IAsyncDisposable
{
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<InferenceRequest> Requests { get; } = [];

    /// <summary>Ends when a request has ended because its token was cancelled.</summary>
    public Task Cancelled => _cancelled.Task;

    public bool IsDisposed { get; private set; }

    public static VariantChoice Variant { get; } = new(Precision.Fp32, "the only one there is");

    public static FakeInference Of(params InferenceEvent[] events) => new((_, _) => Play(events));

    /// <summary>Reasons "thinking", answers "42".</summary>
    public static FakeInference Thoughtful() => new((request, _) => Play(
    [
        new InferenceEvent.Admitted(5, FakeInference.Variant),
        .. Enumerable.Range(0, request.Choices).SelectMany(choice => new InferenceEvent[]
        {
            new InferenceEvent.Delta(choice, DeltaKind.Reasoning, "think", Logprobs(request, "think")),
            new InferenceEvent.Delta(choice, DeltaKind.Reasoning, "ing", Logprobs(request, "ing")),
            new InferenceEvent.Delta(choice, DeltaKind.Answer, "42", Logprobs(request, "42")),
            new InferenceEvent.ChoiceFinished(choice, FinishReason.Stop),
        }),
        new InferenceEvent.Finished(new Usage(5, 4 * request.Choices, 2 * request.Choices) { CachedTokens = 3 }),
    ]));

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        lock (Requests) Requests.Add(request);
        try
        {
            await foreach (var inferenceEvent in script(request, cancellationToken)) yield return inferenceEvent;
        }
        finally
        {
            if (cancellationToken.IsCancellationRequested) _cancelled.TrySetResult();
        }
    }

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return ValueTask.CompletedTask;
    }

    private static async IAsyncEnumerable<InferenceEvent> Play(IEnumerable<InferenceEvent> events)
    {
        foreach (var one in events)
        {
            await Task.Yield();
            yield return one;
        }
    }

    private static TokenLogprob[]? Logprobs(InferenceRequest request, string text) => request.TopLogprobs is not { } top
        ? null
        : [One(text, -0.25f, [.. Enumerable.Range(0, top).Select(rank => One($"{text}{rank}", rank == 0 ? -0.25f : float.NegativeInfinity, []))])];

    private static TokenLogprob One(string text, float logprob, TokenLogprob[] top) =>
        new(text, System.Text.Encoding.UTF8.GetBytes(text), logprob, top);
}
