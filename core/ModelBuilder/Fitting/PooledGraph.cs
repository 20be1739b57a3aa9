using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Layouts;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>An encoder's graph with what its folder says is done with its output as nodes: pooling over a text's tokens, and a length of 1, which
/// every vector of a text or a picture gets here. Tokens that the attention mask leaves out count for nothing.</summary>
internal static class PooledGraph
{
    private const string Mask = "attention_mask", Ids = "input_ids";

    /// <summary>What sentence-transformers divides by where a length is 0, and what no token's number is below.</summary>
    private const float LeastLength = 1e-12f, LeastNumber = -1e30f;

    /// <param name="graph">Is extended in place.</param>
    /// <param name="settings">Of an encoder that makes vectors.</param>
    /// <returns>The graph, whose only output then is <see cref="HeadGraph.Vectors"/>, [batch, width].</returns>
    public static SourceGraph Of(SourceGraph graph, OutputSettings settings)
    {
        GraphExtension extension = new(graph);
        var output = TensorGraph.Read(graph.Path).Outputs.First(one => one.Name == settings.Output);
        var value = TensorGraph.TypeOf(output) == TensorType.Float32 ? output.Name
            : extension.Node("Cast", "pool/output", [output.Name], ("to", (int)DataType.Float));
        if (settings.Poolings.Count > 0) value = Pool(graph, extension, value, settings.Poolings);
        // What a pooling over a picture leaves: [batch, width, 1, 1].
        else if (output.Dimensions is { Count: > 2 }) value = extension.Reshape("pool/flat", value, 0, -1);
        var length = extension.Node("Sqrt", "pool/length", [extension.Sum("pool/squares", extension.Node("Mul", "pool/square", [value, value]), 1)]);
        var divisor = extension.Reshape("pool/divisor", extension.Node("Max", "pool/positive", [length, extension.Number("pool/least", LeastLength)]),
            -1, 1);
        extension.Finish((extension.Node("Div", "pool/vector", [value, divisor]), HeadGraph.Vectors, DataType.Float, [settings.Dimensions]));
        return graph;
    }

    private static string Pool(SourceGraph graph, GraphExtension extension, string tokens, IReadOnlyList<Pooling> poolings)
    {
        // Without a mask, all tokens count.
        var isMasked = graph.Model.Graph.Input.Any(input => input.Name == Mask);
        var mask = extension.Node("Cast", "pool/mask", [isMasked ? Mask : extension.Node("Equal", "pool/all", [Ids, Ids])],
            ("to", (int)DataType.Float));
        string[] parts = [.. poolings.Select(pooling => Pool(extension, tokens, mask, pooling))];
        return parts is [var one] ? one : extension.Node("Concat", "pool/parts", parts, ("axis", 1));
    }

    /// <summary>As <c>TextVectors</c> of the engine.</summary>
    private static string Pool(GraphExtension extension, string tokens, string mask, Pooling pooling)
    {
        if (pooling == Pooling.Cls)
            return extension.Node("Gather", "pool/first", [tokens, extension.Index("pool/zero", 0)], ("axis", 1));
        if (pooling == Pooling.Max)
        {
            var hidden = extension.Node("Mul", "pool/hidden",
                [extension.Node("Sub", "pool/unmasked", [extension.Number("pool/one", 1), mask]), extension.Number("pool/lowest", LeastNumber)]);
            var shown = extension.Node("Add", "pool/shown", [tokens, extension.Reshape("pool/hides", hidden, 0, 0, 1)]);
            return extension.Greatest("pool/greatest", shown, 1);
        }

        var places = pooling is Pooling.WeightedMean or Pooling.LastToken
            ? extension.Node("CumSum", "pool/places", [mask, extension.Index("pool/axis", 1)]) : mask;
        var weights = extension.Node("Mul", "pool/weights", [mask, pooling == Pooling.LastToken ? Last(extension, places, mask) : places]);
        var sum = extension.Sum("pool/sum", extension.Node("Mul", "pool/weighted", [tokens, extension.Reshape("pool/each", weights, 0, 0, 1)]), 1);
        if (pooling == Pooling.LastToken) return sum;
        var total = extension.Reshape("pool/total", extension.Sum("pool/count", weights, 1), -1, 1);
        return extension.Node("Div", "pool/mean", [sum, pooling == Pooling.MeanSqrtLen ? extension.Node("Sqrt", "pool/root", [total]) : total]);
    }

    /// <summary>1 at the last token that counts and at those behind it, else 0.</summary>
    private static string Last(GraphExtension extension, string places, string mask)
    {
        var total = extension.Reshape("pool/tokens", extension.Sum("pool/tokens_of", mask, 1), -1, 1);
        return extension.Node("Cast", "pool/last", [extension.Node("Equal", "pool/is_last", [places, total])], ("to", (int)DataType.Float));
    }
}
