using R1Serverless.ModelBuilder.Fitting.Training;
using R1Serverless.ModelBuilder.Tensors;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>A head in a graph, behind the vectors that it was fitted to.</summary>
internal static class HeadGraph
{
    public const string Vectors = "vectors", Probabilities = "probabilities";
    private const string Scores = "logits", Label = "label";

    /// <summary>Joins a head to a graph whose output <see cref="Vectors"/> is [batch, width]. The outputs are then the scores (<c>logits</c>) and
    /// <c>probabilities</c>, FP32 [batch, labels], and the <c>label</c>, BYTES [batch],
    /// empty where the probabilities are no numbers.</summary>
    /// <param name="isImputing">Whether NaN stands for the mean.</param>
    public static void Join(SourceGraph graph, LogisticHead head, IReadOnlyList<string> labels, bool isImputing)
    {
        GraphExtension extension = new(graph);
        var (width, count) = (head.Centre.Length, labels.Count);
        var shifted = extension.Node("Sub", "head/shifted", [Vectors, extension.Floats("head/centre", head.Centre, width)]);
        if (isImputing)
            shifted = extension.Node("Where", "head/known",
                [extension.Node("IsNaN", "head/missing", [shifted]), extension.Number("head/mean", 0), shifted]);
        // Not a product of matrices: a single row would have other bits than one among several, and lone requests would have to be run twice.
        var row = extension.Reshape("head/row", shifted, 0, 1, width);
        var products = extension.Node("Mul", "head/products", [row, extension.Floats("head/weights", head.Weights, count, width)]);
        var scores = extension.Node("Add", "head/scores",
            [extension.Sum("head/sums", products, 2), extension.Floats("head/biases", head.Biases, count)]);
        var probabilities = extension.Node("Softmax", "head/probabilities", [scores], ("axis", 1));
        var best = extension.Node("ArgMax", "head/best", [scores], ("axis", 1), ("keepdims", 0));
        // A number that is not finite leaves no probability, and the first label would be taken for the best.
        // By operators that an encoder of an old operator set has too (IsNaN and Where came with 9).
        var isKnown = extension.Node("Greater", "head/isKnown", [extension.Sum("head/total", probabilities, 1), extension.Number("head/zero", 0)]);
        var unknown = extension.Node("Cast", "head/unknown", [extension.Node("Not", "head/isUnknown", [isKnown])], ("to", (int)DataType.Int64));
        var rest = extension.Node("Sub", "head/rest", [extension.Index("head/none", count), best]);
        var chosen = extension.Node("Add", "head/chosen", [best, extension.Node("Mul", "head/step", [unknown, rest])]);
        var label = extension.Node("Gather", "head/label", [extension.Texts("head/labels", [.. labels, ""]), chosen], ("axis", 0));
        extension.Finish((scores, Scores, DataType.Float, [count]), (probabilities, Probabilities, DataType.Float, [count]),
            (label, Label, DataType.String, []));
    }
}
