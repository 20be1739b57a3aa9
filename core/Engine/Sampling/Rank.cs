using System.Numerics;
using System.Runtime.Intrinsics;

namespace R1Serverless.Engine.Sampling;

/// <summary>
/// Orders tokens by value, and equal values by id, lowest first: a rank is one integer of the value's bits above the inverted id, so all ranks of
/// a row differ, the greater rank is the likelier token, and no sort can be unstable.
/// </summary>
internal static class Rank
{
    public static ulong Of(float value, int id)
    {
        var bits = BitConverter.SingleToUInt32Bits(value + 0f);
        var ordered = (bits & 0x8000_0000) == 0 ? bits | 0x8000_0000 : ~bits;
        return ((ulong)ordered << 32) | ~(uint)id;
    }

    public static int Id(ulong rank) => (int)~(uint)rank;

    public static float Value(ulong rank)
    {
        var ordered = (uint)(rank >> 32);
        return BitConverter.UInt32BitsToSingle((ordered & 0x8000_0000) != 0 ? ordered & 0x7FFF_FFFF : ~ordered);
    }

    /// <summary>Writes the ranks of all values of at least <paramref name="least"/>, in the order of their ids, and says how many.</summary>
    /// <param name="values">Values of the ids from <paramref name="firstId"/> on, none of them NaN.</param>
    /// <param name="firstId">The id of the first value.</param>
    /// <param name="least">The smallest value to take.</param>
    /// <param name="ranks">Room for as many as there may be.</param>
    public static int Collect(ReadOnlySpan<float> values, int firstId, float least, Span<ulong> ranks)
    {
        int count = 0, i = 0;
        var bound = Vector256.Create(least);
        for (; i <= values.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            var hits = Vector256.GreaterThanOrEqual(Vector256.Create(values[i..]), bound).ExtractMostSignificantBits();
            for (; hits != 0; hits &= hits - 1)
            {
                var at = i + BitOperations.TrailingZeroCount(hits);
                ranks[count++] = Of(values[at], firstId + at);
            }
        }

        for (; i < values.Length; i++)
        {
            if (values[i] >= least)
                ranks[count++] = Of(values[i], firstId + i);
        }

        return count;
    }
}
