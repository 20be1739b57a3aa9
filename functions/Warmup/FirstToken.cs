using System.Globalization;
using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Serving;

namespace R1Serverless.Warmup;

/// <summary>Marks and reports the first text that any client's request gets here, by whichever way it came; then it is out of the way.</summary>
/// <param name="timeline">Gets the mark.</param>
/// <param name="report">Gets the line.</param>
internal sealed class FirstToken(StartupTimeline timeline, IProgress<string> report, TimeProvider time)
{
    /// <summary>Until the line is written: the rest of a short first answer should not wait for it.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(0.1);

    private volatile bool _seen;

    public bool IsSeen => _seen;

    /// <summary>The same events; the first token is marked before it is handed on, and told later.</summary>
    public async IAsyncEnumerable<InferenceEvent> WatchAsync(IAsyncEnumerable<InferenceEvent> events,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var inferenceEvent in events.WithCancellation(cancellationToken))
        {
            if (!_seen && inferenceEvent is InferenceEvent.Delta)
            {
                _seen = true;
                if (timeline.TryMark(StartupPhase.FirstToken, timeline.Now)) _ = SayAsync();
            }

            yield return inferenceEvent;
        }
    }

    private async Task SayAsync()
    {
        await Task.Delay(Quiet, time, CancellationToken.None).ConfigureAwait(false);
        try
        {
            report.Report($"Since the process's start: first token {timeline.Reached[^1].Seconds.ToString("F2", CultureInfo.InvariantCulture)} s");
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException)
        {
            // The answers count, not who reads of them.
        }
    }
}
