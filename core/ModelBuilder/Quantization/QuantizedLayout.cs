using R1Serverless.Abstractions;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>How quantised linear layers stand in the graph. Besides the two that are built, a benchmark measures the others.</summary>
internal abstract record QuantizedLayout
{
    /// <summary>7 bits: two neighbours' products then fit into the 16 bits that AVX2 adds them in; with 8 it would cut them off.</summary>
    public const int SafeLimit = 63;

    private QuantizedLayout()
    {
    }

    /// <summary>Integers with a scale for each output, times activations quantised per row: whole-number sums, the same in any order of
    /// adding.</summary>
    /// <param name="Limit">The greatest weight: 63 or 127.</param>
    /// <param name="Unsigned">Weights around 128 instead of 0.</param>
    internal sealed record Rows(int Limit, bool Unsigned) : QuantizedLayout;

    /// <summary>MatMulNBits.</summary>
    /// <param name="Bits">4 or 8.</param>
    /// <param name="Block">Inputs that share a scale.</param>
    /// <param name="AccuracyLevel">ONNX Runtime's: 1 computes in float32, 4 with activations in 8 bits.</param>
    /// <param name="Symmetric">Without zero points.</param>
    /// <param name="SpareRow">Whether a row of zeros travels with the tokens, so that a product never has one row alone: some processors have another
    /// order of adding for that.</param>
    internal sealed record Blocks(int Bits, int Block, int AccuracyLevel, bool Symmetric, bool SpareRow = false) : QuantizedLayout;

    public static QuantizedLayout Of(Precision precision) => precision switch
    {
        Precision.Int8 => new Rows(SafeLimit, Unsigned: false),
        Precision.Int4 => new Blocks(4, 32, 4, Symmetric: true, SpareRow: true),
        _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "Only integers are quantised."),
    };
}
