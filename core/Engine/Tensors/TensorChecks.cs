using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Engine.Tensors;

/// <summary>Whether a request's tensors are those that a graph takes.</summary>
internal static class TensorChecks
{
    /// <summary>The request field of all tensors; one is named behind a dot.</summary>
    private const string Field = "inputs";

    /// <summary>Most rows of one request along the batch axis.</summary>
    private const int MaxRows = 1024;

    /// <summary>Most images of one request.</summary>
    private const int MaxImages = 256;

    /// <summary>Gives the inputs in the graph's order, or says what is wrong with them.</summary>
    /// <param name="isBatched">Whether the first dimension is the batch axis.</param>
    public static InferenceError? TryOrder(TensorGraph graph, bool isBatched, Prompt.Tensors prompt, out IReadOnlyList<Tensor> inputs)
    {
        inputs = [];
        var taken = string.Join(", ", graph.Inputs.Select(input => $"'{input.Name}'"));
        if (prompt.Inputs.FirstOrDefault(input => graph.Inputs.All(known => known.Name != input.Name)) is { } unknown)
            return Refused(unknown.Name, $"The model has no input '{unknown.Name}'; it takes {taken}.");
        List<Tensor> ordered = [];
        Dictionary<string, (string Name, long Size)> symbols = new(StringComparer.Ordinal);
        foreach (var expected in graph.Inputs)
        {
            if (prompt.Inputs.FirstOrDefault(input => input.Name == expected.Name) is not { } input)
                return Refused(expected.Name, $"The input '{expected.Name}' ({Describe(expected)}) is missing.");
            if (input.Type != TensorGraph.TypeOf(expected) || !Fits(input.Shape, expected.Dimensions))
                return Refused(input.Name, $"The input '{input.Name}' must be {Describe(expected)}, but is {Describe(input)}.");
            if (Contradiction(input, expected, symbols) is { } contradiction) return Refused(input.Name, contradiction);
            ordered.Add(input);
        }

        if (isBatched && ordered[0].Shape[0] > MaxRows)
            return Refused(ordered[0].Name,
                $"A request may have at most {MaxRows} rows, but '{ordered[0].Name}' has {ordered[0].Shape[0]}: send several.");
        inputs = ordered;
        return CheckOutputs(graph, prompt);
    }

    /// <summary>The same of the graph's only input as encoded images, which become its content later.</summary>
    public static InferenceError? TryTakeImages(TensorGraph graph, Prompt.Tensors prompt, out IReadOnlyList<Tensor> inputs)
    {
        inputs = prompt.Inputs;
        var images = inputs[0];
        if (images.Shape.Count is 0 or > 2 || (images.Shape.Count == 2 && images.Shape[1] != 1) || images.Shape[0] is 0 or > MaxImages)
            return Refused(images.Name, $"Images come to '{images.Name}' as BYTES [n], 1 to {MaxImages} of them, but this is {Describe(images)}.");
        return CheckOutputs(graph, prompt);
    }

    /// <summary>The same where images come, and the folder says of them what can't be followed.</summary>
    /// <param name="refusal">What, in words.</param>
    public static InferenceError RefuseImages(string model, Tensor images, string refusal, out IReadOnlyList<Tensor> inputs)
    {
        inputs = [];
        return Refused(images.Name, $"'{model}' takes no images: {refusal}.");
    }

    private static InferenceError? CheckOutputs(TensorGraph graph, Prompt.Tensors prompt) =>
        prompt.Outputs.FirstOrDefault(name => graph.Outputs.All(output => output.Name != name)) is { } absent
            ? new InferenceError(InferenceErrorKind.InvalidRequest,
                $"The model has no output '{absent}'; it gives {string.Join(", ", graph.Outputs.Select(output => $"'{output.Name}'"))}.",
                $"outputs.{absent}")
            : null;

    private static InferenceError Refused(string tensor, string message) => new(InferenceErrorKind.InvalidRequest, message, $"{Field}.{tensor}");

    private static bool Fits(IReadOnlyList<long> shape, IReadOnlyList<OnnxDimension>? expected) =>
        expected is null
            || (shape.Count == expected.Count && shape.Zip(expected).All(one => one.Second.Size is null || one.Second.Size == one.First));

    /// <summary>Free dimensions of one name have one size.</summary>
    private static string? Contradiction(Tensor input, OnnxValue expected, Dictionary<string, (string Name, long Size)> symbols)
    {
        for (var axis = 0; axis < (expected.Dimensions?.Count ?? 0); axis++)
        {
            var symbol = expected.Dimensions![axis].Symbol;
            if (symbol.Length == 0 || expected.Dimensions![axis].Size is not null) continue;
            if (symbols.TryAdd(symbol, (input.Name, input.Shape[axis])) || symbols[symbol].Size == input.Shape[axis]) continue;
            return $"Dimension {axis} of '{input.Name}' must be {symbols[symbol].Size}, as in '{symbols[symbol].Name}', but is {input.Shape[axis]}.";
        }

        return null;
    }

    private static string Describe(OnnxValue expected) =>
        $"{TensorTypes.Name(TensorGraph.TypeOf(expected))} "
            + (expected.Dimensions is { } dimensions ? $"[{string.Join(",", dimensions.Select(one => one.Size ?? -1))}]" : "of any shape");

    private static string Describe(Tensor input) => $"{TensorTypes.Name(input.Type)} [{string.Join(",", input.Shape)}]";
}
