using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Faults;

/// <summary>An engine that writes as many words as the prompt says and, where there is a gate, holds each answer before its last word until that
/// opens.</summary>
/// <param name="word">What its words begin with.</param>
internal sealed class GatedEngine(TimeProvider time, string word = "w", TimeSpan wordTime = default) : IInference
{
    private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsGated { get; init; }

    /// <summary>Every start of a request, in order.</summary>
    public ConcurrentQueue<RequestId> Started { get; } = new();

    public ConcurrentDictionary<RequestId, bool> Held { get; } = new();

    public static string Text(int words, string word = "w") => string.Concat(Enumerable.Range(0, words).Select(i => $"{word}{i} "));

    public void Open() => _gate.TrySetResult();

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Started.Enqueue(request.Id);
        yield return new InferenceEvent.Admitted(1, new VariantChoice(Precision.Fp32, "the only one"));
        var words = int.Parse(((Prompt.Text)request.Prompt).Value);
        for (var i = 0; i < words; i++)
        {
            if (IsGated && i == words - 1)
            {
                Held[request.Id] = true;
                await _gate.Task.WaitAsync(cancellationToken);
            }

            if (wordTime > TimeSpan.Zero) await Task.Delay(wordTime, time, cancellationToken);
            else await Task.Yield();
            yield return new InferenceEvent.Delta(0, DeltaKind.Answer, $"{word}{i} ");
        }

        yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Stop);
        yield return new InferenceEvent.Finished(new Usage(1, words, 0));
    }
}
