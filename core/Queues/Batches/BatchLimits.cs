namespace R1Serverless.Queues.Batches;

/// <summary>Bounds of bulk jobs; the defaults are OpenAI's where it has them.</summary>
public sealed record BatchLimits
{
    /// <summary>Lines of one batch.</summary>
    public int Lines { get; init; } = 50_000;

    /// <summary>Bytes of an uploaded file.</summary>
    public long FileBytes { get; init; } = 200_000_000;

    /// <summary>Bytes of one line.</summary>
    public int LineBytes { get; init; } = 4 << 20;

    /// <summary>Lines of one batch that are in the queue at once.</summary>
    public int Outstanding { get; init; } = 512;

    /// <summary>Lines in the queue at once of all batches of one owner that a process drives.</summary>
    public int OutstandingPerOwner { get; init; } = 2048;

    /// <summary>How far the last queued line may be ahead of the first that has not ended.</summary>
    public int Span { get; init; } = 8192;

    /// <summary>Lines written together.</summary>
    public int SegmentLines { get; init; } = 256;

    /// <summary>A segment is written sooner if it reaches this size.</summary>
    public int SegmentBytes { get; init; } = 4 << 20;

    /// <summary>Bytes of rendered lines kept until their segment is written; others are rendered again.</summary>
    public long HeldBytes { get; init; } = 32 << 20;

    /// <summary>Batches that one process drives at once.</summary>
    public int Batches { get; init; } = 64;

    /// <summary>How often a process looks for batches to drive.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan PollLeast { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan PollMost { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a driver writes that it is alive.</summary>
    public TimeSpan Beat { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a process must have seen the same beat before it takes a batch over.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A line that has had no result for so long is put into the queue again; the second time after twice as long, and so on.</summary>
    public TimeSpan Lost { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long after its end a batch's leftovers are removed: results of lines that were given up come late.</summary>
    public TimeSpan Sweep { get; init; } = TimeSpan.FromMinutes(1);
}
