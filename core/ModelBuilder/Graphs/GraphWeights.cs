using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>What a decode step must read of a graph's constants.</summary>
public static class GraphWeights
{
    /// <summary>
    /// Bytes of all constants that a step reads as a whole: linear layers, their scales, biases, norms and the head. Tables of which it takes some
    /// rows only (the embedding, unless the head is the same constant; the rotary tables) don't count, and neither does what no node reads. As the
    /// file holds them: where the runtime expands a format on loading, as it does with float16 on a CPU, a step reads more.
    /// </summary>
    /// <param name="graphPath">An ONNX file; its external data is not opened.</param>
    /// <exception cref="InvalidModelException">It is no ONNX file, or a constant has a type that isn't known.</exception>
    public static long ReadPerStep(string graphPath)
    {
        var graph = Parse(graphPath).Graph;
        var read = graph.Node.Where(node => !TakesRows(node)).SelectMany(node => node.Input).ToHashSet(StringComparer.Ordinal);
        return graph.Initializer.Where(constant => read.Contains(constant.Name)).Sum(constant => Bytes(constant, graphPath));
    }

    /// <exception cref="InvalidModelException">It is no ONNX file.</exception>
    internal static ModelProto Parse(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return ModelProto.Parser.ParseFrom(stream);
        }
        catch (Google.Protobuf.InvalidProtocolBufferException e)
        {
            throw new InvalidModelException($"{path} is no ONNX file: {e.Message}", e);
        }
    }

    private static bool TakesRows(NodeProto node) =>
        node.OpType.StartsWith("Gather", StringComparison.Ordinal) || node.OpType is "GroupQueryAttention" or "RotaryEmbedding";

    private static long Bytes(TensorProto constant, string path) =>
        constant.Dims.Aggregate(Bits(constant.DataType, path), (product, size) => product * size) / 8;

    /// <summary>By ONNX's number of the type.</summary>
    /// <exception cref="InvalidModelException">The size of that type is not known.</exception>
    internal static long Bits(int type, string path) => type switch
    {
        21 or 22 => 4,
        2 or 3 or 9 or 17 or 18 or 19 or 20 => 8,
        4 or 5 or 10 or 16 => 16,
        1 or 6 or 12 => 32,
        7 or 11 or 13 => 64,
        _ => throw new InvalidModelException($"{path}: a constant has the type {type}, whose size is not known."),
    };
}
