using System.Buffers;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Abstractions.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Engine.Tensors;

/// <summary>Tensors as ONNX Runtime has them.</summary>
public static class TensorValues
{
    private static readonly TensorElementType[] Types =
    [
        TensorElementType.Bool, TensorElementType.UInt8, TensorElementType.UInt16, TensorElementType.UInt32, TensorElementType.UInt64,
        TensorElementType.Int8, TensorElementType.Int16, TensorElementType.Int32, TensorElementType.Int64, TensorElementType.Float16,
        TensorElementType.Float, TensorElementType.Double, TensorElementType.BFloat16, TensorElementType.String,
    ];

    /// <summary>The value of one tensor. ONNX Runtime owns its memory.</summary>
    public static OrtValue Of(Tensor tensor) => Join([tensor]);

    /// <summary>One value of equal tensors behind each other along the first axis; of one tensor alone, that tensor. ONNX Runtime owns its
    /// memory.</summary>
    /// <param name="parts">At least one, equal but for their content and first dimension.</param>
    /// <param name="repeats">How often the last part's content is repeated.</param>
    internal static OrtValue Join(IReadOnlyList<Tensor> parts, int repeats = 0)
    {
        long[] shape = [.. parts[0].Shape];
        if (parts.Count + repeats > 1) shape[0] = parts.Sum(part => part.Shape[0]) + (repeats * parts[^1].Shape[0]);
        var all = parts.Concat(Enumerable.Repeat(parts[^1], repeats));
        if (parts[0].Type == TensorType.Bytes) return JoinTexts(all, shape);
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, Types[(int)parts[0].Type], shape);
        var to = value.GetTensorMutableRawData();
        foreach (var part in all)
        {
            part.Data.Span.CopyTo(to);
            to = to[part.Data.Length..];
        }

        return value;
    }

    /// <summary>Bytes of a whole output as <see cref="Part"/> gives it.</summary>
    internal static long Bytes(OrtValue value, OrtTensorTypeAndShapeInfo kind)
    {
        var type = (TensorType)Array.IndexOf(Types, kind.ElementDataType);
        if (type != TensorType.Bytes) return kind.ElementCount * TensorTypes.Size(type);
        var bytes = 0L;
        for (var i = 0; i < kind.ElementCount; i++) bytes += sizeof(int) + value.GetStringElementAsSpan(i).Length;
        return bytes;
    }

    /// <summary>The rows of an output that belong to one request.</summary>
    /// <param name="rows">Along the first axis, from <paramref name="first"/> on; null for the whole of it.</param>
    internal static Tensor Part(string name, OrtValue value, int first, int? rows)
    {
        var kind = value.GetTensorTypeAndShape();
        long[] shape = [.. kind.Shape];
        var rowElements = shape.Skip(1).Aggregate(1L, (product, dimension) => product * dimension);
        if (rows is { } some) shape[0] = some;
        var elements = shape.Aggregate(1L, (product, dimension) => product * dimension);
        var type = (TensorType)Array.IndexOf(Types, kind.ElementDataType);
        if (type == TensorType.Bytes) return new Tensor(name, type, shape, Texts(value, (int)(first * rowElements), (int)elements));
        var size = TensorTypes.Size(type);
        var bytes = elements == 0 ? [] : value.GetTensorMutableRawData().Slice((int)(first * rowElements * size), (int)(elements * size)).ToArray();
        return new Tensor(name, type, shape, bytes);
    }

    private static OrtValue JoinTexts(IEnumerable<Tensor> parts, long[] shape)
    {
        var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
        var element = 0;
        foreach (var part in parts)
        {
            for (var rest = part.Data.Span; rest.Length > 0;) value.StringTensorSetElementAt(ByteElements.Take(ref rest), element++);
        }

        return value;
    }

    private static ReadOnlyMemory<byte> Texts(OrtValue value, int first, int count)
    {
        ArrayBufferWriter<byte> content = new();
        for (var i = first; i < first + count; i++) ByteElements.Add(content, value.GetStringElementAsSpan(i));
        return content.WrittenMemory;
    }
}
