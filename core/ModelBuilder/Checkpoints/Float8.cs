namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>Numbers of 8 bits with 4 of exponent and 3 of fraction (OCP's E4M3, as PyTorch's float8_e4m3fn): up to 448, no infinities.</summary>
internal static class Float8
{
    private static readonly float[] Values = [.. Enumerable.Range(0, 256).Select(bits => Value(bits & 0x7f) * ((bits & 0x80) == 0 ? 1 : -1))];

    public static void Widen(ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (var i = 0; i < source.Length; i++) destination[i] = Values[source[i]];
    }

    private static float Value(int bits)
    {
        var (exponent, fraction) = (bits >> 3, bits & 7);
        if (bits == 0x7f) return float.NaN;
        return exponent == 0 ? MathF.ScaleB(fraction, -9) : MathF.ScaleB(8 + fraction, exponent - 10);
    }
}
