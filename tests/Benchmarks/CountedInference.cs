using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Counts what goes through an engine.</summary>
/// <param name="expected">After so many finished requests <see cref="Ended"/> ends.</param>
internal sealed class CountedInference(IInference inner, int expected) : IInference
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running, _most, _finished, _tokens;

    /// <summary>Ends when all have finished; fails when one fails.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Of all that finished.</summary>
    public int Tokens => _tokens;

    /// <summary>Requests at once.</summary>
    public int Most => _most;

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var running = Interlocked.Increment(ref _running);
        for (var most = _most; running > most; most = _most) Interlocked.CompareExchange(ref _most, running, most);
        try
        {
            await foreach (var inferenceEvent in inner.RunAsync(request, cancellationToken))
            {
                if (inferenceEvent is InferenceEvent.Finished { Usage.CompletionTokens: var tokens }) Interlocked.Add(ref _tokens, tokens);
                else if (inferenceEvent is InferenceEvent.Failed { Error.Message: var reason }) _ended.TrySetException(new BenchException(reason));
                yield return inferenceEvent;
            }
        }
        finally
        {
            Interlocked.Decrement(ref _running);
            if (Interlocked.Increment(ref _finished) == expected) _ended.TrySetResult();
        }
    }
}
