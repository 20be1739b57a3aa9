using System.Runtime.CompilerServices;
using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Whether a request is taken in now, and when it is its turn. Limits and turns go by API key: where none is asked for there is only the wait's.</summary>
internal sealed class Admission(ServeOptions options, QueueConnection connection, CallerLimits limits, TimeProvider time)
{
    /// <summary>Requests let in and not yet started while several keys take turns: what a newcomer finds before it, whoever floods.</summary>
    public const int Places = 64;

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    /// <summary>What a request gets whose deadline passes in the line.</summary>
    public static InferenceEvent.Failed TooLate { get; } = new(new InferenceError(InferenceErrorKind.DeadlineExceeded, "The deadline passed before it was the request's turn."));

    private readonly FairLine _line = new(options.HasSeveralCallers ? Places : null, mostPerKey: int.MaxValue, time);

    /// <summary>Counts a request in that its client waits for; null with the reason if it is refused.</summary>
    /// <param name="isQueued">Whether it goes through the queue.</param>
    public FairLine.Pass? TryEnter(string owner, bool isQueued, out ApiError? refusal)
    {
        TimeSpan wait = _line.EstimatedWait(owner) + (isQueued && connection.Queue is { } queue ? queue.Signals.EstimatedWait(WorkClass.Interactive) : TimeSpan.Zero);
        int most = limits.MaxConcurrent(owner);
        FairLine.Pass? pass = wait > options.MaxWait ? null : _line.TryEnter(owner, most);
        refusal = pass is not null ? null
            : wait > options.MaxWait ? ApiError.Busy($"The wait for a worker is about {Math.Ceiling(wait.TotalSeconds):0} s, and the server takes nothing in above {options.MaxWait.TotalSeconds:0} s. Retry later.", "overloaded", wait)
            : ApiError.Busy($"This API key has {most} requests in flight, the most it may have. Retry when some have ended.", "too_many_concurrent_requests", RetryLater);
        return pass;
    }

    /// <summary>Runs a request when it is its turn; its deadline counts from now. What was let in makes room for another when it starts.</summary>
    public IAsyncEnumerable<InferenceEvent> RunAsync(
        FairLine.Pass pass, InferenceRequest request, Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> start, CancellationToken cancellationToken) =>
        options.HasSeveralCallers ? RunInTurnAsync(pass, request, start, cancellationToken) : start(request, cancellationToken);

    /// <summary>Waits for the turn; the request with what is left of its deadline, null where nothing is.</summary>
    public async ValueTask<InferenceRequest?> WaitAsync(FairLine.Pass pass, InferenceRequest request, CancellationToken cancellationToken)
    {
        if (request.Deadline is not { } deadline)
        {
            await pass.WaitAsync(cancellationToken);
            return request;
        }

        long start = time.GetTimestamp();
        using CancellationTokenSource late = new(deadline, time);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            await pass.WaitAsync(stop.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }

        TimeSpan left = deadline - time.GetElapsedTime(start);
        return left > TimeSpan.Zero ? request with { Deadline = left } : null;
    }

    /// <summary>Told of a request that has been let in: it makes room with the first event that shows it run.</summary>
    public static async IAsyncEnumerable<InferenceEvent> FollowAsync(
        FairLine.Pass pass, IAsyncEnumerable<InferenceEvent> events, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (InferenceEvent happened in events.WithCancellation(cancellationToken))
        {
            if (happened is not InferenceEvent.Admitted) pass.Started();
            yield return happened;
        }
    }

    private async IAsyncEnumerable<InferenceEvent> RunInTurnAsync(
        FairLine.Pass pass, InferenceRequest request, Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> start,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await WaitAsync(pass, request, cancellationToken) is not { } admitted)
        {
            yield return TooLate;
            yield break;
        }

        await foreach (InferenceEvent happened in FollowAsync(pass, start(admitted, cancellationToken), cancellationToken)) yield return happened;
    }
}
