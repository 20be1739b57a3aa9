using System.Buffers.Binary;
using System.Text.Json;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Models.Series;

/// <summary>Inputs that are one number in every run, such as a sample rate.</summary>
internal static class SeriesConstants
{
    /// <exception cref="InvalidModelException">The graph has no such input, or it is not one number of that type.</exception>
    public static List<Tensor> Read(JsonFields file, string field, TensorGraph graph)
    {
        if (file.FindObject(field) is not { } constants) return [];
        return [.. constants.Names.Select(name =>
        {
            if (graph.Inputs.FirstOrDefault(one => one.Name == name) is not { } input)
                throw constants.Invalid(name, "names no input of the graph");
            if (input.Dimensions is not { } dimensions || dimensions.Any(one => one.Size is not (null or 1)))
                throw constants.Invalid(name, "can't be given: the input is not one number");
            var type = TensorGraph.TypeOf(input);
            return Bytes(type, constants.Find(name)!.Value) is { } data
                ? new Tensor(name, type, [.. dimensions.Select(_ => 1L)], data) : throw constants.Invalid(name, $"must be {Kind(type)}");
        })];
    }

    private static string Kind(TensorType type) => type switch
    {
        TensorType.Bool => "true or false",
        TensorType.Float32 or TensorType.Float64 or TensorType.Int64 or TensorType.Int32 => $"one number of {TensorTypes.Name(type)}",
        _ => "of BOOL, INT32, INT64, FP32 or FP64, which the input is not",
    };

    private static byte[]? Bytes(TensorType type, JsonElement value)
    {
        if (type == TensorType.Bool)
            return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? [value.GetBoolean() ? (byte)1 : (byte)0] : null;
        if (value.ValueKind != JsonValueKind.Number) return null;
        var bytes = new byte[TensorTypes.Size(type)];
        switch (type)
        {
            case TensorType.Int32 when value.TryGetInt32(out var number):
                BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
                return bytes;
            case TensorType.Int64 when value.TryGetInt64(out var number):
                BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
                return bytes;
            case TensorType.Float32 when value.TryGetSingle(out var number) && float.IsFinite(number):
                BinaryPrimitives.WriteSingleLittleEndian(bytes, number);
                return bytes;
            case TensorType.Float64 when value.TryGetDouble(out var number) && double.IsFinite(number):
                BinaryPrimitives.WriteDoubleLittleEndian(bytes, number);
                return bytes;
            default:
                return null;
        }
    }
}
