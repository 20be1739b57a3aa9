using System.Runtime.CompilerServices;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Marks and reports the first text that any client's request gets here, by whichever way it came; then it is out of the way.</summary>
internal sealed class FirstToken(StartupTimeline timeline, StartupReport report)
{
    private volatile bool _seen;

    public bool IsSeen => _seen;

    /// <summary>The same events; the token is handed on first, and marked with the time at which it came.</summary>
    /// <param name="counts">False for this process's own requests, which come this way only so that it has been gone.</param>
    public async IAsyncEnumerable<InferenceEvent> WatchAsync(IAsyncEnumerable<InferenceEvent> events, bool counts, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (InferenceEvent happened in events.WithCancellation(cancellationToken))
        {
            if (!counts || _seen || happened is not InferenceEvent.Delta)
            {
                yield return happened;
                continue;
            }

            _seen = true;
            long at = timeline.Now;
            try
            {
                yield return happened;
            }
            finally
            {
                // Also where nobody asks for more.
                if (timeline.TryMark(StartupPhase.FirstToken, at)) Say();
            }
        }
    }

    /// <summary>On another thread, as no token should wait for a line, the second one neither.</summary>
    private void Say() => ThreadPool.UnsafeQueueUserWorkItem(
        _ =>
        {
            try
            {
                report.FirstToken();
            }
            catch (Exception fault) when (fault is IOException or ObjectDisposedException)
            {
                // The answers count, not who reads of them.
            }
        },
        null);
}
