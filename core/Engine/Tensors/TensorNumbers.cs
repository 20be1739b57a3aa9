using System.Buffers.Binary;
using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Engine.Tensors;

/// <summary>Tensors of numbers with a fraction, and of bytes, as single-precision numbers.</summary>
internal static class TensorNumbers
{
    public static bool CanRead(TensorType type) => type is TensorType.Float32 or TensorType.Float16 or TensorType.Float64 or TensorType.UInt8;

    /// <summary>All elements, in order.</summary>
    public static float[] Of(Tensor tensor)
    {
        var values = new float[tensor.Data.Length / TensorTypes.Size(tensor.Type)];
        Read(tensor, values);
        return values;
    }

    /// <param name="tensor">Of a type that can be read, with content that fits its shape.</param>
    /// <param name="values">Room for all elements.</param>
    public static void Read(Tensor tensor, Span<float> values)
    {
        var data = tensor.Data.Span;
        switch (tensor.Type)
        {
            case TensorType.Float32:
                MemoryMarshal.Cast<byte, float>(data).CopyTo(values);
                break;
            case TensorType.Float64:
                for (var i = 0; i < data.Length / sizeof(double); i++)
                    values[i] = (float)BinaryPrimitives.ReadDoubleLittleEndian(data[(i * sizeof(double))..]);
                break;
            case TensorType.Float16:
                for (var i = 0; i < data.Length / 2; i++) values[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(data[(i * 2)..]);
                break;
            default:
                for (var i = 0; i < data.Length; i++) values[i] = data[i];
                break;
        }
    }
}
