using System.Runtime.InteropServices;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>A constant of the graph whose value is produced in pieces, so that a large model never has to be in memory.</summary>
internal abstract class Initializer(string name, TensorProto.Types.DataType type, long bytes, long[] shape)
{
    protected Initializer(string name, TensorProto.Types.DataType type, params long[] shape)
        : this(name, type, shape.Aggregate(ElementBytes(type), (product, size) => product * size), shape)
    {
    }

    /// <summary>The largest piece, in elements.</summary>
    protected const int PieceElements = 1 << 23;

    public string Name { get; } = name;

    public TensorProto.Types.DataType Type { get; } = type;

    public IReadOnlyList<long> Shape { get; } = shape;

    public long Bytes { get; } = bytes;

    /// <summary>The checkpoint's tensors that it is made from.</summary>
    public virtual IReadOnlyList<CheckpointTensor> Sources => [];

    /// <summary>Writes exactly <see cref="Bytes"/> bytes, row-major, little-endian, to a stream that can seek, and leaves it behind them.</summary>
    public abstract void Write(Stream stream);

    private static long ElementBytes(TensorProto.Types.DataType type) => type switch
    {
        TensorProto.Types.DataType.Uint8 or TensorProto.Types.DataType.Int8 => 1,
        TensorProto.Types.DataType.Float16 => 2,
        TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Int32 => 4,
        TensorProto.Types.DataType.Int64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "The size of this type is not known."),
    };
}

/// <summary>A value computed by the builder.</summary>
internal sealed class ComputedInitializer<T>(string name, TensorProto.Types.DataType type, T[] values, params long[] shape)
    : Initializer(name, type, shape)
    where T : unmanaged
{
    public override void Write(Stream stream)
    {
        for (var i = 0; i < values.Length; i += PieceElements)
        {
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan(i, Math.Min(PieceElements, values.Length - i))));
        }
    }
}
