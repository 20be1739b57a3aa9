using System.Runtime.CompilerServices;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Ends requests that are not finished at their deadline. Those without one pass untouched.</summary>
internal sealed class DeadlineInference(IInference inner, TimeProvider time) : IInference
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        request.Deadline is { } limit ? RunWithinAsync(request, limit, cancellationToken) : inner.RunAsync(request, cancellationToken);

    private async IAsyncEnumerable<InferenceEvent> RunWithinAsync(InferenceRequest request, TimeSpan limit, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(limit, time);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        await using IAsyncEnumerator<InferenceEvent> events = inner.RunAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
        while (true)
        {
            bool? more;
            try
            {
                more = await events.MoveNextAsync();
            }
            catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                more = null;
            }

            if (more == false) yield break;
            if (more is null)
            {
                yield return new InferenceEvent.Failed(new InferenceError(
                    InferenceErrorKind.DeadlineExceeded, "The deadline passed before the request was finished."));
                yield break;
            }

            yield return events.Current;
        }
    }
}
