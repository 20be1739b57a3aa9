using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Models.Layouts;

/// <summary>What a graph that is no decoder takes and gives, with the names of its free dimensions.</summary>
/// <param name="Inputs">Without those that have a default in the graph.</param>
/// <param name="Outputs">In the graph's order.</param>
public sealed record TensorGraph(IReadOnlyList<OnnxValue> Inputs, IReadOnlyList<OnnxValue> Outputs)
{
    /// <summary>By TensorProto.DataType of the ONNX standard; null for those that the Open Inference Protocol has no name for.</summary>
    private static readonly TensorType?[] Types =
    [
        null, TensorType.Float32, TensorType.UInt8, TensorType.Int8, TensorType.UInt16, TensorType.Int16, TensorType.Int32, TensorType.Int64,
        TensorType.Bytes, TensorType.Bool, TensorType.Float16, TensorType.Float64, TensorType.UInt32, TensorType.UInt64, null, null,
        TensorType.BFloat16,
    ];

    public TensorSignature Signature => new([.. Inputs.Select(Spec)], [.. Outputs.Select(Spec)]);

    /// <exception cref="InvalidModelException">The graph is damaged, or takes or gives what is no tensor.</exception>
    public static TensorGraph Read(string path)
    {
        var file = OnnxFile.Read(path);
        if (Refusal(file) is { } refusal) throw new InvalidModelException($"{path} can't be served: {refusal}.");
        return new TensorGraph([.. file.Inputs], file.Outputs);
    }

    /// <summary>The type of a value of such a graph.</summary>
    public static TensorType TypeOf(OnnxValue value) => TypeOf(value.ElementType!.Value)!.Value;

    /// <summary>Why a graph can't be served, in words, or null.</summary>
    internal static string? Refusal(OnnxFile file) =>
        file.Outputs.Count == 0 ? "it has no output"
        : file.Inputs.Concat(file.Outputs).Select(Refusal).FirstOrDefault(refusal => refusal is not null);

    private static string? Refusal(OnnxValue value) =>
        value.ElementType is not { } type ? $"'{value.Name}' is no tensor but a sequence, a map or an optional"
        : TypeOf(type) is null ? $"'{value.Name}' has elements of ONNX's type {type}, which the Open Inference Protocol has no name for"
        : null;

    private static TensorType? TypeOf(int type) => type > 0 && type < Types.Length ? Types[type] : null;

    private static TensorSpec Spec(OnnxValue value) =>
        new(value.Name, TypeOf(value), value.Dimensions is { } dimensions ? [.. dimensions.Select(dimension => dimension.Size ?? -1)] : null);
}
