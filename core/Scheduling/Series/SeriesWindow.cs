namespace R1Serverless.Scheduling.Series;

/// <summary>How events become a model's input.</summary>
/// <param name="Steps">Events of a window, at least 1.</param>
/// <param name="Stride">Events from one window to the next, 1 to <paramref name="Steps"/>.</param>
/// <param name="Pad">Zeros before the first event, less than <paramref name="Steps"/>.</param>
/// <param name="EventBytes">Of one event.</param>
public sealed record WindowShape(int Steps, int Stride, int Pad, int EventBytes);

/// <summary>A window that is full.</summary>
/// <param name="Event">The number of its last event.</param>
/// <param name="Content">Its events, the oldest first.</param>
public readonly record struct FullWindow(long Event, ReadOnlyMemory<byte> Content);

/// <summary>The last events of a series, from which its windows are made.</summary>
/// <param name="End">The number of the event that comes next.</param>
/// <param name="Events">The last before it, the oldest first; fewer than there were where a history was cut off.</param>
public sealed record SeriesWindow(long End, ReadOnlyMemory<byte> Events)
{
    /// <summary>Takes events in.</summary>
    /// <param name="fresh">Whole events of the shape's size.</param>
    /// <param name="full">The windows that end with one of them.</param>
    /// <returns>As it is after them.</returns>
    public SeriesWindow Append(WindowShape shape, ReadOnlyMemory<byte> fresh, out IReadOnlyList<FullWindow> full)
    {
        byte[] all = [.. Events.Span, .. fresh.Span];
        var from = End - (Events.Length / shape.EventBytes);
        var end = End + (fresh.Length / shape.EventBytes);
        List<FullWindow> windows = [];
        for (var last = NextFull(shape, from, End); last < end; last += shape.Stride)
        {
            var first = last + 1 - shape.Steps;
            if (first >= from) windows.Add(new(last, all.AsMemory(Bytes(first - from), Bytes(shape.Steps))));
            else windows.Add(new(last, (byte[])[.. new byte[Bytes(-first)], .. all.AsSpan(0, Bytes(last + 1))]));
        }

        full = windows;
        var kept = Math.Min(all.Length, Bytes(shape.Steps));
        return new SeriesWindow(end, all.AsMemory(all.Length - kept).ToArray());

        int Bytes(long events) => checked((int)(events * shape.EventBytes));
    }

    /// <summary>Events that are still to come until a window is full, at least 1.</summary>
    public int Missing(WindowShape shape) => (int)(NextFull(shape, End - (Events.Length / shape.EventBytes), End) - End + 1);

    /// <summary>The number of the event, <paramref name="end"/> or later, with which a window is full whose events are there from
    /// <paramref name="from"/> on.</summary>
    private static long NextFull(WindowShape shape, long from, long end)
    {
        var first = shape.Steps - 1L - shape.Pad;
        var least = Math.Max(end, from == 0 ? first : from + shape.Steps - 1);
        var behind = (least - first) % shape.Stride;
        return behind == 0 ? least : least + shape.Stride - behind;
    }
}
