using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Batches;
using R1Serverless.Queues.Gateway;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Api.Dispatch;

/// <summary>Holds every caller to as much work as its key may have without a client that waits for it: requests that somebody comes back for, and
/// lines of batches.</summary>
internal sealed class OwnerQuotaCheck(QueueConnection connection, CallerLimits limits, TimeProvider time)
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private OwnerQuota? _work;

    /// <summary>Counts one more request of the caller in; why it is too many if it is.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<ApiError?> AddRequestAsync(string owner, CancellationToken cancellationToken) =>
        await TryAddAsync(owner, 1, cancellationToken) is not { } most
        ? null
        : Busy($"This API key has {most} requests and lines of batches waiting, the most it may have. Retry when some have ended.");

    /// <summary>The same for a batch of so many lines.</summary>
    public async ValueTask<ApiError?> AddBatchAsync(string owner, long lines, CancellationToken cancellationToken) =>
        await TryAddAsync(owner, lines, cancellationToken) is not { } most
        ? null
        : lines > most
        ? Busy($"The file has {lines} lines, and this API key may have at most {most} requests and lines of batches waiting. Split the file.")
        : Busy($"With the {lines} lines of this file the API key would have more than {most} requests and lines of batches waiting, the most it may "
        + "have. Retry when some have ended.");

    private static ApiError Busy(string message) => ApiError.Busy(message, "too_many_queued_requests", RetryLater);

    /// <summary>The limit, where it would be exceeded.</summary>
    private async ValueTask<int?> TryAddAsync(string owner, long requests, CancellationToken cancellationToken)
    {
        var most = limits.MaxQueued(owner);
        if (most == int.MaxValue) return null;
        var store = (await connection.OpenAsync(cancellationToken)).Transport.Store;
        OwnerQuota work;
        lock (_gate) work = _work ??= new OwnerQuota(store, new BatchJobs(store, time).CountOpenLinesAsync, time);
        return await work.TryAddAsync(owner, requests, most, cancellationToken) ? null : most;
    }
}
