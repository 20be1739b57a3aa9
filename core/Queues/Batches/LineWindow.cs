namespace R1Serverless.Queues.Batches;

/// <summary>A line between the input and its segment.</summary>
internal sealed class OpenLine(long number, BatchLine line)
{
    public long Number { get; } = number;

    public BatchLine Line { get; } = line;

    /// <summary>It may have a message in the queue and a result.</summary>
    public bool WasQueued { get; init; }

    /// <summary>When it is taken for lost, by the driver's clock.</summary>
    public long LostAt { get; set; }

    /// <summary>How often it was put into the queue again.</summary>
    public int Requeued { get; set; }

    public bool HasEnded { get; set; }

    public bool IsError { get; set; }

    /// <summary>Of the output line, once it has ended.</summary>
    public int Bytes { get; set; }

    /// <summary>Null before the end, and where it was too much to keep.</summary>
    public LineOutput? Output { get; set; }
}

/// <summary>The lines of a batch that have been read and are not yet in a segment, in the order of the input. Lines end in any order; a segment takes
/// them from the front as far as all have ended. For one thread, except <see cref="End"/>.</summary>
internal sealed class LineWindow(BatchLimits limits)
{
    private readonly Lock _gate = new();
    private readonly Queue<OpenLine> _lines = new();
    private readonly Dictionary<long, OpenLine> _byNumber = [];
    private long _held;

    public int Count => _lines.Count;

    /// <summary>Lines that have not ended.</summary>
    public int Outstanding => Count - (int)(Completed + Failed);

    /// <summary>Ended lines that go to the output.</summary>
    public long Completed { get; private set; }

    /// <summary>Ended lines that go to the error file.</summary>
    public long Failed { get; private set; }

    public IEnumerable<OpenLine> Open => _lines.Where(line => !line.HasEnded);

    public bool IsFull => Count >= limits.Span;

    public OpenLine? Find(long number) => _byNumber.GetValueOrDefault(number);

    public void Add(OpenLine line)
    {
        _lines.Enqueue(line);
        _byNumber.Add(line.Number, line);
    }

    /// <param name="mayForget">Whether the output can be rendered again, so that it need not be kept.</param>
    public void End(OpenLine line, LineOutput output, bool mayForget)
    {
        lock (_gate)
        {
            if (line.HasEnded) return;
            line.HasEnded = true;
            line.IsError = output.IsError;
            line.Bytes = output.Json.Length;
            if (!mayForget || _held + line.Bytes <= limits.HeldBytes)
            {
                line.Output = output;
                _held += line.Bytes;
            }

            if (output.IsError) Failed++;
            else Completed++;
        }
    }

    /// <summary>The lines of the next segment; empty while they are too few, unless the input has ended and all lines with it.</summary>
    public IReadOnlyList<OpenLine> NextSegment(bool inputEnded)
    {
        List<OpenLine> ready = [];
        long bytes = 0;
        foreach (var line in _lines)
        {
            if (!line.HasEnded) break;
            ready.Add(line);
            bytes += line.Bytes;
            if (ready.Count >= limits.SegmentLines || bytes >= limits.SegmentBytes) return ready;
        }

        return inputEnded && ready.Count == Count ? ready : [];
    }

    /// <summary>Forgets the lines up to a number: they are in a segment.</summary>
    public void DropThrough(long number)
    {
        while (_lines.TryPeek(out var line) && line.Number <= number)
        {
            _lines.Dequeue();
            _byNumber.Remove(line.Number);
            if (!line.HasEnded) continue;
            if (line.IsError) Failed--;
            else Completed--;
            if (line.Output is not null) _held -= line.Bytes;
        }
    }
}
