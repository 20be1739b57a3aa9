namespace R1Serverless.Engine.Sampling;

/// <summary>Finds the likeliest tokens without sorting a whole vocabulary. Works on ranks, see <see cref="Rank"/>.</summary>
internal static class Selection
{
    private const int Block = 1024;

    /// <summary>Moves the <paramref name="k"/> greatest finite values' ranks to the front of <paramref name="ranks"/>, in no order, and says how
    /// many there are: fewer than k where fewer values are above minus infinity.</summary>
    /// <param name="values">One value per id, none of them NaN.</param>
    /// <param name="k">At least 1.</param>
    /// <param name="ranks">Working memory of as many entries as there are values.</param>
    public static int Top(ReadOnlySpan<float> values, int k, Span<ulong> ranks)
    {
        var count = 0;
        var least = float.MinValue;
        for (var start = 0; start < values.Length; start += Block)
        {
            var block = values.Slice(start, Math.Min(Block, values.Length - start));
            count += Rank.Collect(block, start, least, ranks[count..]);

            // The k-th value so far is a bound that lets most later blocks pass without a hit.
            if (count > k && (count > k + Block || start + Block >= values.Length))
            {
                least = Rank.Value(Cut(ranks[..count], k));
                count = k;
            }
        }

        return count;
    }

    /// <summary>The smallest rank of the nucleus: the fewest likeliest tokens whose weights sum to at least <paramref name="mass"/>.</summary>
    /// <param name="ranks">Ranks of weights; at least one; shuffled on return.</param>
    /// <param name="mass">Positive.</param>
    public static ulong Nucleus(Span<ulong> ranks, double mass)
    {
        int low = 0, high = ranks.Length;
        while (high - low > 1)
        {
            var pivot = low + Partition(ranks[low..high]);
            double above = 0;
            foreach (var rank in ranks[low..pivot]) above += Rank.Value(rank);
            if (above >= mass)
            {
                high = pivot;
                continue;
            }

            mass -= above + Rank.Value(ranks[pivot]);
            if (mass <= 0) return ranks[pivot];
            low = pivot + 1;
        }

        return ranks[Math.Min(low, high - 1)];
    }

    /// <summary>Moves the k greatest to the front and returns the smallest of them. 1 ≤ k ≤ length.</summary>
    private static ulong Cut(Span<ulong> ranks, int k)
    {
        int low = 0, high = ranks.Length;
        while (high - low > 1)
        {
            var pivot = low + Partition(ranks[low..high]);
            if (pivot == k - 1) break;
            if (pivot >= k)
                high = pivot;
            else
                low = pivot + 1;
        }

        return ranks[k - 1];
    }

    /// <summary>Moves the median of the first, middle and last to its place in descending order, greater ones before it; returns that
    /// place.</summary>
    private static int Partition(Span<ulong> ranks)
    {
        var last = ranks.Length - 1;
        var middle = ranks.Length / 2;
        if (ranks[middle] > ranks[0]) Swap(ranks, 0, middle);
        if (ranks[last] > ranks[0]) Swap(ranks, 0, last);
        if (ranks[middle] > ranks[last]) Swap(ranks, middle, last);

        var pivot = ranks[last];
        var place = 0;
        for (var i = 0; i < last; i++)
        {
            if (ranks[i] > pivot)
                Swap(ranks, i, place++);
        }

        Swap(ranks, place, last);
        return place;
    }

    private static void Swap(Span<ulong> ranks, int a, int b) => (ranks[a], ranks[b]) = (ranks[b], ranks[a]);
}
