namespace R1Serverless.Engine.Sampling;

/// <summary>
/// The random numbers of one sequence: number n depends on the seed and n alone, so neither the company in a batch nor the machine changes them.
/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
/// </summary>
internal struct RandomStream(long seed)
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    private ulong _state = Mix((ulong)seed);

    /// <summary>The seed of one of a request's independent choices; the first keeps the request's own.</summary>
    public static long SeedOf(long seed, int choice) => choice == 0 ? seed : (long)Mix(Mix((ulong)seed) + (ulong)choice);

    /// <summary>The next number in [0, 1), with 53 random bits.</summary>
    public double Next()
    {
        _state += Increment;
        return (Mix(_state) >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
