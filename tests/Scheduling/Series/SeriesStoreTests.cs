using CsCheck;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Tests.Scheduling.Series;

/// <summary>What is kept of series, and what leaves.</summary>
public sealed class SeriesStoreTests
{
    private const long Ticks = 20;

    /// <summary>What is done: 0 to 5 puts, 6 to 8 finds, 9 removes; the key; the size; how much time passes before.</summary>
    private static readonly Gen<(int Kind, int Key, int Bytes, int Later)[]> Operations =
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 7], Gen.Int[1, 60], Gen.Int[0, 6]).Array[1, 200];

    [Fact]
    public void The_least_recently_used_leave_for_others_and_all_after_their_time() =>
        Gen.Select(Operations, Gen.Int[1, 6], Gen.Int[10, 200]).Sample((operations, series, bytes) =>
        {
            SeriesStore<string> store = new(new SeriesLimits(series, bytes, TimeSpan.Zero), Ticks);
            // The most recently used last.
            List<(int Key, string Value, int Bytes, long Used)> naive = [];
            var now = 0L;
            foreach (var ((kind, key, size, later), i) in operations.Select((one, i) => (one, i)))
            {
                now += later;
                naive.RemoveAll(one => now - one.Used >= Ticks);
                var known = naive.FirstOrDefault(one => one.Key == key);
                if (kind == 9)
                {
                    // What is past its time may still lie there: nobody sees it.
                    _ = store.Find(Key(key), now);
                    Assert.Equal(naive.RemoveAll(one => one.Key == key) > 0, store.Remove(Key(key)));
                    continue;
                }

                naive.RemoveAll(one => one.Key == key);
                if (kind >= 6)
                {
                    Assert.Equal(known.Value, store.Find(Key(key), now));
                    if (known.Value is not null) naive.Add(known with { Used = now });
                    continue;
                }

                store.Put(Key(key), $"{i}", size, now);
                while (naive.Count > 0 && (naive.Count >= series || naive.Sum(one => one.Bytes) + size > bytes)) naive.RemoveAt(0);
                naive.Add((key, $"{i}", size, now));
                Assert.Equal((naive.Count, naive.Sum(one => one.Bytes)), (store.Count, store.Bytes));
                Assert.True(store.Bytes <= bytes || store.Count == 1);
            }
        });

    [Fact]
    public void Owners_and_models_don_t_share_a_key()
    {
        SeriesStore<string> store = new(SeriesLimits.Default, Ticks);
        store.Put(new("m", "a", "k"), "1", 1, 0);
        Assert.Null(store.Find(new("m", "b", "k"), 0));
        Assert.Null(store.Find(new("n", "a", "k"), 0));
        Assert.Equal("1", store.Find(new("m", "a", "k"), 0));
    }

    private static SeriesKey Key(int key) => new("m", "", $"{key}");
}
