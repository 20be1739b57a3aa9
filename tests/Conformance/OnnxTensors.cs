using Google.Protobuf;
using R1Serverless.Abstractions.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.Conformance;

/// <summary>Reads tensors as ONNX's files have them (TensorProto, with the ONNX standard's field numbers): raw, or in a field by type.</summary>
internal static class OnnxTensors
{
    /// <summary>By TensorProto.DataType; null for those that the Open Inference Protocol has no name for.</summary>
    private static readonly TensorType?[] Types =
    [
        null, TensorType.Float32, TensorType.UInt8, TensorType.Int8, TensorType.UInt16, TensorType.Int16, TensorType.Int32, TensorType.Int64,
        TensorType.Bytes, TensorType.Bool, TensorType.Float16, TensorType.Float64, TensorType.UInt32, TensorType.UInt64, null, null,
        TensorType.BFloat16,
    ];

    /// <summary>Null for what is no tensor, of no type that the protocol has, or of content that does not fit its shape.</summary>
    public static Tensor? Read(byte[] file)
    {
        List<long> shape = [];
        List<byte[]> elements = [];
        byte[]? raw = null;
        var type = 0;
        using CodedInputStream input = new(file);
        try
        {
            while (input.ReadTag() is > 0 and var tag)
            {
                switch (WireFormat.GetTagFieldNumber(tag))
                {
                    case 1: Each(tag, stream => shape.Add(stream.ReadInt64())); break;
                    case 2: type = input.ReadInt32(); break;
                    case 4: Each(tag, stream => elements.Add(BitConverter.GetBytes(stream.ReadFloat()))); break;
                    case 5: Each(tag, stream => elements.Add(BitConverter.GetBytes(stream.ReadInt32()))); break;
                    case 6: elements.Add(Text(input.ReadBytes())); break;
                    case 7: Each(tag, stream => elements.Add(BitConverter.GetBytes(stream.ReadInt64()))); break;
                    case 9: raw = input.ReadBytes().ToByteArray(); break;
                    case 10: Each(tag, stream => elements.Add(BitConverter.GetBytes(stream.ReadDouble()))); break;
                    case 11: Each(tag, stream => elements.Add(BitConverter.GetBytes(stream.ReadUInt64()))); break;
                    default: input.SkipLastField(); break;
                }
            }
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }

        if (type <= 0 || type >= Types.Length || Types[type] is not { } known) return null;
        // Narrow types are kept in wider fields.
        var size = TensorTypes.Size(known);
        Tensor tensor = new("", known, shape, raw ?? [.. elements.SelectMany(one => size == 0 ? one : one.Take(size))]);
        return tensor.Misfit() is null ? tensor : null;

        // Packed, or each with its own tag.
        void Each(uint tag, Action<CodedInputStream> read)
        {
            if (WireFormat.GetTagWireType(tag) != WireFormat.WireType.LengthDelimited)
            {
                read(input);
                return;
            }

            using CodedInputStream packed = new(input.ReadBytes().ToByteArray());
            while (!packed.IsAtEnd) read(packed);
        }
    }

    private static byte[] Text(ByteString text) => [.. BitConverter.GetBytes(text.Length), .. text];
}
