using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Api.Dispatch;

/// <summary>How a call was taken in.</summary>
internal abstract record DispatchResult
{
    private DispatchResult()
    {
    }

    public sealed record Refused(ApiError Error) : DispatchResult;

    /// <summary>The client comes back for the result.</summary>
    /// <param name="Answer">The request as it is now.</param>
    /// <param name="IsReplayed">An earlier call with the same key began it.</param>
    public sealed record Deferred(RequestAnswer Answer, bool IsReplayed) : DispatchResult;

    /// <summary>The client waits.</summary>
    /// <param name="Pass">To be disposed when the answer has ended.</param>
    /// <param name="IsRecorded">The client may also come back, by the id in <paramref name="Call"/>.</param>
    /// <param name="IsReplayed">An earlier call with the same key began it.</param>
    /// <param name="IsFree">Whether the answer was that call's to the end; known when the events have ended. Null where it is not.</param>
    public sealed record Answering(
        FairAdmissionQueue.Pass Pass, CompletionCall Call, AnswerHead Head, Func<CancellationToken, IAsyncEnumerable<InferenceEvent>> Run,
        bool IsRecorded, bool IsReplayed = false, Func<bool>? IsFree = null) : DispatchResult;
}

/// <summary>How a client wants its call treated, by headers.</summary>
/// <param name="IsAsync">It asks for a place to come back to, instead of the answer.</param>
/// <param name="Key">Makes several calls one request; null for none.</param>
/// <param name="BodyHash">Tells whether calls with one key are the same.</param>
internal sealed record CallTerms(bool IsAsync, string? Key, string BodyHash);
