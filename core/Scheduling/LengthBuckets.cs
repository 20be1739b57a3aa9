namespace R1Serverless.Scheduling;

/// <summary>Slot lengths: powers of two from 256 tokens up, capped at what one slot may ever need.</summary>
public static class LengthBuckets
{
    public const int Smallest = 256;

    /// <summary>The smallest bucket that holds <paramref name="length"/> tokens.</summary>
    public static int For(int length, int cap)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, cap);
        var bucket = Smallest;
        while (bucket < length) bucket *= 2;
        return Math.Min(bucket, cap);
    }
}
