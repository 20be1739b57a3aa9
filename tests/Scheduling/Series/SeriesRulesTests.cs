using CsCheck;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Tests.Scheduling.Series;

/// <summary>No event is lost, and none is taken twice: the policy as a whole against clients that remember everything.</summary>
public sealed class SeriesRulesTests
{
    private static readonly WindowShape Shape = new(Steps: 5, Stride: 2, Pad: 1, EventBytes: 1);

    /// <summary>What a client does: 0 to 4 sends its next events, 5 its last request again, 6 an earlier one, 7 one that leaves events out, 8 its
    /// last with other values; the key, how many events, whether it sends its history at once, and whether the run fails.</summary>
    private static readonly Gen<(int Kind, int Key, int Count, bool HasHistory, bool Fails)[]> Requests =
        Gen.Select(Gen.Int[0, 8], Gen.Int[0, 3], Gen.Int[1, 4], Gen.Bool, Gen.Select(Gen.Int[0, 4], one => one == 0)).Array[1, 150];

    [Fact]
    public void Windows_are_those_of_all_events_whatever_comes_twice_leaves_or_fails() =>
        Gen.Select(Requests, Gen.Int[1, 4]).Sample((requests, series) =>
        {
            SeriesStore<Kept> store = new(new SeriesLimits(series, long.MaxValue, TimeSpan.Zero), long.MaxValue);
            // What each client knows to be taken, and the requests that it was in.
            var taken = Enumerable.Range(0, 4).Select(_ => new List<byte>()).ToArray();
            var ended = Enumerable.Range(0, 4).Select(_ => new List<(int First, int Count)>()).ToArray();
            byte fresh = 0;
            foreach (var (kind, key, count, hasHistory, fails) in requests)
            {
                var (mine, before) = (taken[key], ended[key]);
                SeriesKey name = new("m", "", $"{key}");
                var wasKept = store.Find(name, 0) is not null;
                if (kind <= 4)
                {
                    byte[] events = [.. Enumerable.Range(0, count).Select(_ => ++fresh)];
                    var (verdict, full) = Send(store, name, mine.Count, events, hasHistory ? [.. mine] : null, fails);
                    if (verdict == SeriesVerdict.Missing)
                    {
                        Assert.True(!wasKept && !hasHistory && mine.Count > 0);
                        (verdict, full) = Send(store, name, mine.Count, events, [.. mine], fails);
                    }

                    Assert.Equal(
                        wasKept ? SeriesVerdict.Continue : mine.Count > 0 || hasHistory ? SeriesVerdict.Rebuild : SeriesVerdict.Begin, verdict);
                    // It is sent again, with what else comes, by a later turn of this key.
                    if (fails) continue;
                    before.Add((mine.Count, count));
                    mine.AddRange(events);
                    Check(mine, count, full);
                }
                else if (before.Count > 0)
                {
                    var (first, length) = before[^1];
                    byte[] events = [.. mine[first..(first + length)]];
                    var verdict = kind switch
                    {
                        5 => Send(store, name, first, events, null, fails).Verdict,
                        6 when before.Count > 1 => Send(store, name, before[0].First, [.. mine[..before[0].Count]], null, fails).Verdict,
                        7 => Send(store, name, mine.Count + 1, [9], null, fails).Verdict,
                        8 => Send(store, name, first, [.. events.Select(one => (byte)~one)], null, fails).Verdict,
                        _ => (SeriesVerdict?)null,
                    };
                    var expected = !wasKept && (kind == 7 || (kind is 5 or 8 && first > 0)) ? SeriesVerdict.Missing
                        : kind == 5 ? wasKept ? SeriesVerdict.Repeat : SeriesVerdict.Begin
                        : kind == 7 ? SeriesVerdict.Missing
                        : wasKept ? SeriesVerdict.Passed : SeriesVerdict.Begin;
                    if (verdict is null) continue;
                    Assert.Equal(expected, verdict);
                    // A series that had left and is begun with its first events once more is one of these alone.
                    if (verdict == SeriesVerdict.Begin && !fails) store.Remove(name);
                }
            }
        });

    [Fact]
    public void Without_numbers_events_follow_each_other()
    {
        Assert.Equal(SeriesVerdict.Begin, SeriesRules.Judge(null, false, null, 1, "a", null, out var first));
        Assert.Equal(0, first);
        SeriesProgress known = new(7, new SeriesRequest(6, 1, "a"));
        Assert.Equal(SeriesVerdict.Continue, SeriesRules.Judge(known, true, null, 1, "a", 99, out first));
        Assert.Equal(7, first);
        // What is kept is another variant's: the numbers never go back.
        Assert.Equal(SeriesVerdict.Rebuild, SeriesRules.Judge(known, false, null, 1, "a", 3, out first));
        Assert.Equal(7, first);
        Assert.Equal(SeriesVerdict.Rebuild, SeriesRules.Judge(known, false, null, 1, "a", 9, out first));
        Assert.Equal(9, first);
        Assert.Equal(SeriesVerdict.Missing, SeriesRules.Judge(known, false, null, 1, "a", null, out _));
        Assert.Equal(SeriesVerdict.Rebuild, SeriesRules.Judge(null, false, null, 1, "a", 64, out first));
        Assert.Equal(64, first);
    }

    [Fact]
    public void A_history_is_no_longer_than_the_number_says() =>
        Assert.Equal(SeriesVerdict.TooMuchHistory, SeriesRules.Judge(null, false, 3, 1, "a", 4, out _));

    /// <summary>As the engine does it: judge, append, and keep only where the run ended well.</summary>
    private static (SeriesVerdict Verdict, IReadOnlyList<FullWindow> Full) Send(
        SeriesStore<Kept> store, SeriesKey key, int sequence, byte[] events, byte[]? history, bool fails)
    {
        var kept = store.Find(key, 0);
        var digest = Convert.ToHexString(events);
        var verdict = SeriesRules.Judge(kept?.Progress, true, sequence, events.Length, digest, history?.Length, out var first);
        if (verdict is not (SeriesVerdict.Begin or SeriesVerdict.Continue or SeriesVerdict.Rebuild)) return (verdict, []);
        var window = verdict == SeriesVerdict.Continue ? kept!.Window
            : new SeriesWindow(first - (history?.Length ?? 0), ReadOnlyMemory<byte>.Empty).Append(Shape, history, out _);
        window = window.Append(Shape, events, out var full);
        if (!fails) store.Put(key, new Kept(new SeriesProgress(window.End, new SeriesRequest(first, events.Length, digest)), window), 1, 0);
        return (verdict, full);
    }

    private static void Check(List<byte> all, int count, IReadOnlyList<FullWindow> full)
    {
        byte[] padded = [.. new byte[Shape.Pad], .. all];
        var ends = Enumerable.Range(all.Count - count, count).Where(last =>
            last + 1 + Shape.Pad >= Shape.Steps && (last + 1 + Shape.Pad - Shape.Steps) % Shape.Stride == 0).ToArray();
        Assert.Equal(ends.Select(last => (long)last), full.Select(one => one.Event));
        foreach (var one in full)
        {
            var end = (int)one.Event + 1 + Shape.Pad;
            Assert.Equal(padded[(end - Shape.Steps)..end], one.Content.ToArray());
        }
    }

    private sealed record Kept(SeriesProgress Progress, SeriesWindow Window);
}
