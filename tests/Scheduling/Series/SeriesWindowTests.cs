using CsCheck;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Tests.Scheduling.Series;

/// <summary>Which windows are full, and what is in them.</summary>
public sealed class SeriesWindowTests
{
    private static readonly Gen<WindowShape> Shapes = Gen.Int[1, 12].SelectMany(steps =>
        Gen.Select(Gen.Int[1, steps], Gen.Int[0, steps - 1], Gen.Int[1, 3], (stride, pad, bytes) => new WindowShape(steps, stride, pad, bytes)));

    [Fact]
    public void However_events_are_divided_the_windows_are_the_same() =>
        Gen.Select(Shapes, Gen.Int[0, 6].Array[1, 30]).Sample((shape, parts) =>
        {
            SeriesWindow window = new(0, ReadOnlyMemory<byte>.Empty);
            List<FullWindow> found = [];
            foreach (var part in parts)
            {
                var missing = window.Missing(shape);
                window = window.Append(shape, Events(shape, window.End, part), out var full);
                // The first comes with the event that was said.
                Assert.Equal(part >= missing, full.Count > 0);
                if (full.Count > 0) Assert.Equal(window.End - part + missing - 1, full[0].Event);
                found.AddRange(full);
            }

            var naive = Naive(shape, parts.Sum());
            Assert.Equal(naive.Select(one => one.Event), found.Select(one => one.Event));
            Assert.Equal(naive.Select(one => one.Content), found.Select(one => one.Content.ToArray()));
        });

    [Fact]
    public void A_history_of_a_window_is_as_good_as_all_events() =>
        Gen.Select(Shapes, Gen.Int[0, 20], Gen.Int[0, 5], Gen.Int[0, 12]).Sample((shape, before, more, after) =>
        {
            var history = shape.Steps + more;
            var first = before + history;
            var window = new SeriesWindow(first - history, ReadOnlyMemory<byte>.Empty)
                .Append(shape, Events(shape, first - history, history), out _).Append(shape, Events(shape, first, after), out var full);
            var naive = Naive(shape, first + after).Where(one => one.Event >= first).ToArray();
            Assert.Equal(naive.Select(one => one.Event), full.Select(one => one.Event));
            Assert.Equal(naive.Select(one => one.Content), full.Select(one => one.Content.ToArray()));
            Assert.Equal(first + after, window.End);
            Assert.Equal(shape.Steps * shape.EventBytes, window.Events.Length);
        });

    [Fact]
    public void A_history_that_is_cut_off_is_never_filled_with_zeros()
    {
        WindowShape shape = new(Steps: 4, Stride: 1, Pad: 3, EventBytes: 1);
        var window = new SeriesWindow(8, ReadOnlyMemory<byte>.Empty).Append(shape, Events(shape, 8, 2), out var full);
        Assert.Equal((0, 2), (full.Count, window.Missing(shape)));
        _ = window.Append(shape, Events(shape, 10, 2), out full);
        Assert.Equal([8, 9, 10, 11], Assert.Single(full).Content.ToArray());
    }

    private static byte[] Events(WindowShape shape, long first, int count) =>
        [.. Enumerable.Range(0, count * shape.EventBytes).Select(i => (byte)(first + (i / shape.EventBytes)))];

    /// <summary>By the words: zeros, then all events; a window after each so many, once there are enough.</summary>
    private static (long Event, byte[] Content)[] Naive(WindowShape shape, int count)
    {
        byte[] all = [.. new byte[shape.Pad * shape.EventBytes], .. Events(shape, 0, count)];
        List<(long, byte[])> windows = [];
        for (var from = 0; from + shape.Steps <= shape.Pad + count; from += shape.Stride)
            windows.Add((from + shape.Steps - 1 - shape.Pad, all[(from * shape.EventBytes)..((from + shape.Steps) * shape.EventBytes)]));
        // A window of zeros only would come before any event.
        return [.. windows.Where(one => one.Item1 >= 0)];
    }
}
