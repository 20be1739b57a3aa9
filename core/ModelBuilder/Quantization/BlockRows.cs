using System.Numerics.Tensors;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>
/// MatMulNBits' rows: 4 or 8 bits a weight with one scale for each block of inputs, the last block filled up with zeros. Symmetric: the value
/// furthest from zero becomes the lowest integer, so that the integers' longer side is used. Else the block's range, zero included, is spread over
/// all integers, with a zero point for each block.
/// </summary>
internal sealed class BlockRows(int bits, int block, bool symmetric) : RowFormat(DataType.Uint8, 1), IScaled
{
    private readonly int _middle = 1 << (bits - 1), _largest = (1 << bits) - 1;
    private float[] _scales = [];
    private byte[] _zeros = [];
    private int _blocks;

    public static int Blocks(long width, int block) => (int)((width + block - 1) / block);

    public override int RowBytes(int width) => Blocks(width, block) * block * bits / 8;

    public override IReadOnlyList<long> RowShape(long width) => [Blocks(width, block), block * bits / 8];

    public override void Begin(int rows, int width)
    {
        _blocks = Blocks(width, block);
        _scales = new float[rows * _blocks];
        _zeros = new byte[symmetric ? 0 : rows * _blocks];
    }

    public IReadOnlyList<long> ScaleShape(long rows, long width) => [rows, Blocks(width, block)];

    public float[] TakeScales() => Interlocked.Exchange(ref _scales, []);

    /// <summary>The zero points of all rows, packed as the weights are, each row filled up to a whole byte.</summary>
    public byte[] TakeZeros(int rows)
    {
        var packed = new byte[rows * ZeroBytes(_blocks)];
        for (var row = 0; row < rows; row++) Pack(_zeros.AsSpan(row * _blocks, _blocks), packed.AsSpan(row * ZeroBytes(_blocks), ZeroBytes(_blocks)));
        _zeros = [];
        return packed;
    }

    public int ZeroBytes(int blocks) => ((blocks * bits) + 7) / 8;

    public override void Encode(ReadOnlySpan<float> row, int index, Span<byte> destination)
    {
        Span<float> values = stackalloc float[block];
        Span<byte> integers = stackalloc byte[block];
        var bytes = block * bits / 8;
        for (var i = 0; i < _blocks; i++)
        {
            var source = row[(i * block)..Math.Min((i + 1) * block, row.Length)];
            source.CopyTo(values);
            values[source.Length..].Clear();
            var (scale, zero) = symmetric ? (SymmetricScale(values), _middle) : Range(values);
            _scales[(index * _blocks) + i] = scale;
            if (!symmetric) _zeros[(index * _blocks) + i] = (byte)zero;
            for (var k = 0; k < block; k++) integers[k] = (byte)Math.Clamp(MathF.Round(values[k] / scale) + zero, 0, _largest);
            Pack(integers, destination.Slice(i * bytes, bytes));
        }
    }

    private float SymmetricScale(ReadOnlySpan<float> values)
    {
        var furthest = values[TensorPrimitives.IndexOfMaxMagnitude(values)];
        return furthest == 0 ? 1 : furthest / -_middle;
    }

    private (float Scale, int Zero) Range(ReadOnlySpan<float> values)
    {
        var (low, high) = (MathF.Min(0, TensorPrimitives.Min(values)), MathF.Max(0, TensorPrimitives.Max(values)));
        var scale = high == low ? 1 : (high - low) / _largest;
        return (scale, (int)Math.Clamp(MathF.Round(-low / scale), 0, _largest));
    }

    private void Pack(ReadOnlySpan<byte> integers, Span<byte> destination)
    {
        if (bits == 8)
        {
            integers.CopyTo(destination);
            return;
        }

        for (var i = 0; i < destination.Length; i++)
        {
            var upper = (2 * i) + 1 < integers.Length ? integers[(2 * i) + 1] : 0;
            destination[i] = (byte)(integers[2 * i] | (upper << 4));
        }
    }
}
