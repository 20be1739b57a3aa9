using System.Runtime.CompilerServices;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Answers in the place of models that are still loading, with made-up words: nobody reads them but this process, which asks itself.</summary>
internal sealed class PrewarmInference : IInference
{
    private const int Words = 3;

    private static readonly VariantChoice None = new(Precision.Fp32, "prewarming");

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new InferenceEvent.Admitted(1, None);
        for (int i = 0; i < Words; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // Like an engine's, each comes from another thread than the one that waits.
            await Task.Yield();
            yield return new InferenceEvent.Delta(0, i == 0 ? DeltaKind.Reasoning : DeltaKind.Answer, "word ");
        }

        yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Length);
        yield return new InferenceEvent.Finished(new Usage(1, Words, 1));
    }
}
