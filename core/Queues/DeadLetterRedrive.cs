using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>Another chance for what was put aside.</summary>
public static class DeadLetterRedrive
{
    /// <summary>Puts up to <paramref name="most"/> dead letters back into their queue; returns how many. What says that they failed for good goes
    /// first: a worker that found it would run nothing. Killed in between, it leaves dead letters that can be put back again. A request that ended
    /// otherwise, in another delivery, keeps its result.</summary>
    /// <exception cref="TransportException">The queue or the store can't be reached; ask again.</exception>
    public static async ValueTask<int> RedriveAsync(this Transport transport, WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        ResultStore results = new(transport.Store);
        foreach (var letter in await transport.Queue.PeekDeadLettersAsync(workClass, most, cancellationToken))
        {
            if (letter.RequestId is not { } id) continue;
            try
            {
                RequestId request = new(id);
                if (await results.FindAsync(request, cancellationToken) is { Outcome: RequestOutcome.DeadLettered })
                    await results.DeleteAsync(request, cancellationToken);
            }
            catch (ArgumentException)
            {
                // An id that no result can be stored under.
            }
        }

        return await transport.Queue.RedriveAsync(workClass, most, cancellationToken);
    }
}
