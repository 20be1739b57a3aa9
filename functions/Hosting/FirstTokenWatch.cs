using System.Runtime.CompilerServices;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Marks the first text that any request gets; then it is out of the way.</summary>
internal sealed class FirstTokenWatch(IInference inner, StartupTimeline timeline) : IInference
{
    private volatile bool _counts, _seen;

    /// <summary>From now on requests are clients', not this process's own.</summary>
    public void Begin() => _counts = true;

    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        _seen ? inner.RunAsync(request, cancellationToken) : WatchAsync(request, cancellationToken);

    private async IAsyncEnumerable<InferenceEvent> WatchAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (InferenceEvent happened in inner.RunAsync(request, cancellationToken))
        {
            if (_counts && !_seen && happened is InferenceEvent.Delta)
            {
                _seen = true;
                timeline.Mark(StartupPhase.FirstToken);
            }

            yield return happened;
        }
    }
}
