using System.Threading.Channels;

namespace R1Serverless.Generation;

/// <summary>
/// Hands a step's tokens on in one go. Waking every stream's reader from the engine's thread would cost it a system call each; so one reader is woken
/// per step, and it wakes the others from a thread of the pool. Filled by the engine's thread only.
/// </summary>
internal sealed class Publisher(TimeProvider time)
{
    /// <summary>Steps may be far shorter than a wake-up is worth: tokens in the middle of an answer wait this long for others.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(4);

    private readonly Channel<List<(Sequence Sequence, SequenceOutput Output)>> _steps =
        Channel.CreateUnbounded<List<(Sequence, SequenceOutput)>>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private List<(Sequence Sequence, SequenceOutput Output)> _step = [];
    private bool _urgent;
    private long _lastFlush;

    public void Add(Sequence sequence, SequenceOutput output)
    {
        _step.Add((sequence, output));
        // The first token and the last are waited for.
        _urgent |= output.Token is null || output.End is not null || sequence.Generated == 1;
    }

    /// <summary>Sends what has been added, if it is time to.</summary>
    public void FlushWhenDue()
    {
        if (_urgent || time.GetElapsedTime(_lastFlush) >= Interval) Flush();
    }

    /// <summary>Sends what has been added since the last time.</summary>
    public void Flush()
    {
        if (_step.Count == 0) return;
        _urgent = false;
        _lastFlush = time.GetTimestamp();
        _steps.Writer.TryWrite(_step);
        _step = new(_step.Count);
    }

    /// <summary>Nothing comes after what has been sent.</summary>
    public void Complete()
    {
        Flush();
        _steps.Writer.Complete();
    }

    /// <summary>Delivers in order until <see cref="Complete"/>.</summary>
    public async Task RunAsync()
    {
        while (await _steps.Reader.WaitToReadAsync()) Deliver();
    }

    /// <summary>Delivers what has been sent so far. One caller at a time.</summary>
    public void Deliver()
    {
        while (_steps.Reader.TryRead(out var step))
        {
            foreach (var (sequence, output) in step) sequence.Output.TryWrite(output);
        }
    }
}
