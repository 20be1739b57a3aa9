using R1Serverless.Abstractions;

namespace R1Serverless.Queues;

/// <summary>What becomes of a delivery: whether it is started, and what a failure means for it.</summary>
internal static class DeliveryRules
{
    public static InferenceError Cancelled { get; } = new(InferenceErrorKind.Cancelled, "The request was cancelled.");

    /// <summary>Why a delivery is not started; null if it is.</summary>
    /// <param name="delivery">From 1.</param>
    public static InferenceError? Refusal(bool isCancelled, StopReason reason, int delivery, int maxDeliveries) => 0 switch
    {
        _ when isCancelled => Cancelled,
        _ when reason == StopReason.Expired => Deadline.Passed,
        _ when delivery > maxDeliveries =>
            new(InferenceErrorKind.Undeliverable, $"The request was delivered {maxDeliveries} times, and no worker came to its end."),
        _ => null,
    };

    /// <summary>Whether another delivery may end better.</summary>
    public static bool IsRetryable(InferenceErrorKind kind) =>
        kind is InferenceErrorKind.Unavailable or InferenceErrorKind.QueueFull or InferenceErrorKind.Internal;

    /// <summary>Whether what an engine threw is a fault of ours that lies in this request's way, so that every other delivery would meet it again.
    /// What a machine lacks, and what is closed under a request, passes.</summary>
    public static bool IsOwn(Exception fault) =>
        fault is ArgumentException or ArithmeticException or FormatException or IndexOutOfRangeException or InvalidCastException
            or KeyNotFoundException or NotSupportedException or NullReferenceException
        || fault.GetType() == typeof(InvalidOperationException);

    /// <summary>What a failed delivery leaves: the error as the request's own, one that says that all deliveries failed, or null if it is to be given
    /// back.</summary>
    public static InferenceError? Final(InferenceError error, int delivery, QueueWorkerOptions options) => 0 switch
    {
        _ when !IsRetryable(error.Kind) => error,
        // Only a failure of the engine may be the request's own doing.
        _ when delivery < (error.Kind == InferenceErrorKind.Internal ? options.MaxAttempts : options.MaxDeliveries) => null,
        _ => new(InferenceErrorKind.Undeliverable,
            $"The request was delivered {delivery} times and never finished; it failed at last with: {error.Message}"),
    };
}

/// <summary>Why a run stops before its end.</summary>
internal enum StopReason
{
    None,

    /// <summary>The client, or the owner of the batch, took it back.</summary>
    Cancelled,

    /// <summary>Its deadline passed.</summary>
    Expired,

    /// <summary>The worker stops: the request is handed back.</summary>
    Drained,

    /// <summary>It may run elsewhere by now.</summary>
    LeaseLost,
}
