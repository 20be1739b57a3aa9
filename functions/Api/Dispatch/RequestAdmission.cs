using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Serving;

namespace R1Serverless.Api.Dispatch;

/// <summary>Whether a request is taken in now, and when it is its turn. Limits and turns go by API key: where none is asked for there is only the
/// wait's.</summary>
internal sealed class RequestAdmission(ServeOptions options, QueueConnection connection, CallerLimits limits, TimeProvider time)
{
    /// <summary>Requests let in and not yet started while several keys take turns: what a newcomer finds before it, whoever floods.</summary>
    public const int Places = 64;

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    /// <summary>What a request gets whose deadline passes before its turn.</summary>
    public static InferenceEvent.Failed TooLate { get; } =
        new(new InferenceError(InferenceErrorKind.DeadlineExceeded, "The deadline passed before it was the request's turn."));

    private readonly FairAdmissionQueue _queue = new(options.HasSeveralCallers ? Places : null, maxPerKey: int.MaxValue, time);

    /// <summary>Counts a request in that its client waits for; null with the reason if it is refused.</summary>
    /// <param name="isQueued">Whether it goes through the queue.</param>
    public FairAdmissionQueue.Pass? TryEnter(InferenceRequest request, bool isQueued, out ApiError? refusal)
    {
        var wait = _queue.EstimatedWait(request.Owner, request.Model)
            + (isQueued && connection.Queue is { } queue ? queue.Signals.EstimatedWait(WorkClass.Interactive, request.Model) : TimeSpan.Zero);
        var most = limits.MaxConcurrent(request.Owner);
        var pass = wait > options.MaxWait ? null : _queue.TryEnter(request.Owner, most, request.Model);
        refusal = pass is not null ? null
            : wait > options.MaxWait
            ? ApiError.Busy(
            $"The wait for a worker is about {Math.Ceiling(wait.TotalSeconds):0} s, and the server takes nothing in above "
            + $"{options.MaxWait.TotalSeconds:0} s. Retry later.", "overloaded", wait)
            : ApiError.Busy($"This API key has {most} requests in flight, the most it may have. Retry when some have ended.",
            "too_many_concurrent_requests", RetryLater);
        return pass;
    }

    /// <summary>Runs a request when it is its turn; its deadline counts from now. What was let in makes room for another when it starts.</summary>
    public IAsyncEnumerable<InferenceEvent> RunAsync(
        FairAdmissionQueue.Pass pass, InferenceRequest request, Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> start,
        CancellationToken cancellationToken) =>
        options.HasSeveralCallers ? RunInTurnAsync(pass, request, start, cancellationToken) : start(request, cancellationToken);

    /// <summary>Waits for the turn; the request with what is left of its deadline, null where nothing is.</summary>
    public static ValueTask<InferenceRequest?> WaitAsync(
        FairAdmissionQueue.Pass pass, InferenceRequest request, Deadline deadline, CancellationToken cancellationToken) => deadline.WithinAsync(
        async stop =>
        {
            await pass.WaitAsync(stop);
            return deadline.IsOver ? null : deadline.Rest(request);
        },
        cancellationToken);

    /// <summary>Told of a request that has been let in: it makes room with the first event that shows it run.</summary>
    public static async IAsyncEnumerable<InferenceEvent> FollowAsync(
        FairAdmissionQueue.Pass pass, IAsyncEnumerable<InferenceEvent> events, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var inferenceEvent in events.WithCancellation(cancellationToken))
        {
            if (inferenceEvent is not InferenceEvent.Admitted) pass.Started();
            yield return inferenceEvent;
        }
    }

    private async IAsyncEnumerable<InferenceEvent> RunInTurnAsync(
        FairAdmissionQueue.Pass pass, InferenceRequest request, Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> start,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (await WaitAsync(pass, request, new Deadline(request.Deadline, time), cancellationToken) is not { } admitted)
        {
            yield return TooLate;
            yield break;
        }

        await foreach (var inferenceEvent in FollowAsync(pass, start(admitted, cancellationToken), cancellationToken)) yield return inferenceEvent;
    }
}
