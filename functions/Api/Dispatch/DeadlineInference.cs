using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.Dispatch;

/// <summary>Ends requests that are not finished at their deadline. Those without one pass untouched.</summary>
internal sealed class DeadlineInference(IInference inner, TimeProvider time) : IInference
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        request.Deadline is null ? inner.RunAsync(request, cancellationToken) : RunWithinAsync(request, cancellationToken);

    private async IAsyncEnumerable<InferenceEvent> RunWithinAsync(
        InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var limit = new Deadline(request.Deadline, time).Limit(cancellationToken);
        await using var events = inner.RunAsync(request, limit.Token).GetAsyncEnumerator(limit.Token);
        while (true)
        {
            bool? more;
            try
            {
                more = await events.MoveNextAsync();
            }
            catch (OperationCanceledException) when (limit.IsOver)
            {
                more = null;
            }

            if (more == false) yield break;
            yield return more is null ? new InferenceEvent.Failed(Deadline.Passed) : events.Current;
            if (more is null) yield break;
        }
    }
}
