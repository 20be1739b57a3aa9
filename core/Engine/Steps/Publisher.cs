using System.Threading.Channels;

namespace R1Serverless.Engine.Steps;

/// <summary>
/// Hands a step's tokens on in one go. Waking every stream's reader from the engine's thread would cost it a system call each; so one reader is woken
/// per step, and it wakes the others from a thread of the pool. Filled by the engine's thread only.
/// </summary>
internal sealed class Publisher(TimeProvider time)
{
    /// <summary>Tokens in the middle of an answer wait for others, the longer the more streams there are to wake: what delivering may take from the
    /// model's cores is bounded that way. At most 32 ms, about one frame of a film, so that the text still seems to flow.</summary>
    private static readonly TimeSpan IntervalPerStream = TimeSpan.FromMilliseconds(0.5), Shortest = TimeSpan.FromMilliseconds(4),
        Longest = TimeSpan.FromMilliseconds(32);

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

    /// <summary>Sends what has been added, if it is time to with that many streams.</summary>
    public void FlushWhenDue(int streams)
    {
        if (_urgent || time.GetElapsedTime(_lastFlush) >= Interval(streams)) Flush();
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

    private static TimeSpan Interval(int streams)
    {
        var interval = streams * IntervalPerStream;
        return interval < Shortest ? Shortest : interval > Longest ? Longest : interval;
    }
}
