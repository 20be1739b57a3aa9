using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Models.Series;

/// <summary>Outputs of a graph that are its next run's inputs.</summary>
internal static class SeriesStates
{
    private const int MaxBytes = 64 << 20;

    /// <summary>Those that their names tell, with equal types and shapes: state and stateN, h and h_out, h0 and hn.</summary>
    public static List<StateSettings> Find(TensorGraph graph) =>
    [
        .. from input in graph.Inputs
           let output = graph.Outputs.FirstOrDefault(one => Names(input.Name).Contains(one.Name, StringComparer.Ordinal))
           where output is not null
           let state = Of(graph, input.Name, output.Name, out _)
           where state is not null
           select state,
    ];

    /// <summary>The state of that input and output, or why it is none.</summary>
    /// <param name="fault">To be said after the field's name.</param>
    public static StateSettings? Of(TensorGraph graph, string input, string output, out string? fault)
    {
        var from = graph.Inputs.FirstOrDefault(one => one.Name == input);
        var to = graph.Outputs.FirstOrDefault(one => one.Name == output);
        fault = from is null ? $"names the input '{input}', which the graph does not have"
            : to is null ? $"names the output '{output}', which the graph does not have"
            : TensorGraph.TypeOf(from) != TensorGraph.TypeOf(to) ? $"pairs '{input}' and '{output}', which have different types"
            : TensorGraph.TypeOf(from) == TensorType.Bytes ? $"names '{input}', which holds texts"
            : from.Dimensions is null ? $"names '{input}', whose number of dimensions is not known"
            : !Fits(from, to) ? $"pairs '{input}' and '{output}', which have different shapes"
            : from.Dimensions.Count(one => one.Size is null) > 1 ? $"names '{input}', of which more than the batch is free"
            : null;
        if (fault is not null) return null;
        // What is free is the batch, and a series is one row of it.
        long[] shape = [.. from!.Dimensions!.Select(one => one.Size ?? 1)];
        var type = TensorGraph.TypeOf(from);
        if (Tensor.Elements(shape) is { } elements && elements <= MaxBytes / TensorTypes.Size(type))
            return new StateSettings(output, new Tensor(input, type, shape, new byte[elements * TensorTypes.Size(type)]));
        fault = $"names '{input}', which has more than {MaxBytes >> 20} MiB";
        return null;
    }

    private static IEnumerable<string> Names(string input)
    {
        foreach (var after in (string[])["N", "n", "_n", "Out", "_out", "out", "_new", "_next"]) yield return input + after;
        foreach (var before in (string[])["new_", "next_", "out_"]) yield return before + input;
        if (input.EndsWith('0')) yield return input[..^1] + "n";
        if (input.EndsWith("_in", StringComparison.Ordinal)) yield return input[..^2] + "out";
    }

    /// <summary>What is known of both dimensions is the same.</summary>
    private static bool Fits(OnnxValue input, OnnxValue output) =>
        output.Dimensions is null || (output.Dimensions.Count == input.Dimensions!.Count
            && input.Dimensions.Zip(output.Dimensions).All(pair =>
                pair.First.Size is null || pair.Second.Size is null || pair.First.Size == pair.Second.Size));
}
