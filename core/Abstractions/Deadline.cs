using R1Serverless.Abstractions.Threading;

namespace R1Serverless.Abstractions;

/// <summary>When a request must have ended, by the time that elapses in this process. Safe for several threads.</summary>
/// <param name="limit">As in <see cref="InferenceRequest.Deadline"/>, from now on; null for none.</param>
/// <param name="margin">How much later it counts here; negative for the time that has passed already.</param>
public sealed class Deadline(TimeSpan? limit, TimeProvider time, TimeSpan margin = default)
{
    // What nobody lives to see is no deadline, and can't overflow.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    private readonly long _start = time.GetTimestamp();
    private readonly TimeSpan? _end = limit < Longest ? limit + margin : null;

    /// <summary>How a request ends whose deadline passes.</summary>
    public static InferenceError Passed { get; } =
        new(InferenceErrorKind.DeadlineExceeded, "The deadline passed before the request was finished.");

    /// <summary>From zero up; <see cref="TimeSpan.MaxValue"/> where there is no deadline.</summary>
    public TimeSpan Left =>
        _end is not { } end ? TimeSpan.MaxValue : end - time.GetElapsedTime(_start) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    public bool IsOver => Left == TimeSpan.Zero;

    /// <summary>The request with what is left.</summary>
    public InferenceRequest Rest(InferenceRequest request) => _end is null ? request : request with { Deadline = Left };

    /// <summary>A token that is cancelled at the deadline, or with another.</summary>
    public TimeLimit Limit(CancellationToken cancellationToken) => new(_end is null ? Timeout.InfiniteTimeSpan : Left, time, cancellationToken);

    /// <summary>The outcome of what a request has to wait for; null where its deadline passes first.</summary>
    public async ValueTask<T?> WithinAsync<T>(Func<CancellationToken, ValueTask<T?>> wait, CancellationToken cancellationToken)
        where T : class
    {
        using var late = Limit(cancellationToken);
        try
        {
            return await wait(late.Token);
        }
        catch (OperationCanceledException) when (late.IsOver)
        {
            return null;
        }
    }
}
