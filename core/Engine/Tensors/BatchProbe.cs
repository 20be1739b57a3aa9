using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Engine.Tensors;

/// <summary>
/// Finds a graph's batch axis, and by runs over made-up inputs whether a row has the same bits alone and in company. The graph itself says only
/// which dimensions are free, and not that rows don't mix.
/// </summary>
internal static class BatchProbe
{
    /// <summary>Rows of the run that others are compared with, and such runs with new inputs, as many as there is time for.</summary>
    private const int Company = 16, Rounds = 32;

    /// <summary>Sizes that free dimensions are tried with: tokens of a text, or pixels where convolutions need more. The first is odd: what a kernel
    /// computes several elements at a time has the last ones left over, sometimes with other bits.</summary>
    public static IReadOnlyList<int> Sizes { get; } = [7, 8, 32, 64, 224];

    /// <summary>First row and number of rows that are run by themselves. The first few are tried always, the others while there is time.</summary>
    private static readonly (int First, int Rows)[] Parts =
    [
        (0, 3), (0, 1), (1, 1), (2, 1),
        .. new[] { 2, 1, 3, 5, 7 }.SelectMany(rows => Enumerable.Range(0, Company / rows).Select(i => (i * rows, rows))),
    ];

    private const int AlwaysTried = 4;

    /// <summary>How long is tried at each size: what differs in one row of hundreds is seen too, where rows are quick.</summary>
    private static readonly TimeSpan Enough = TimeSpan.FromSeconds(0.15);

    /// <param name="graph">What it takes and gives.</param>
    /// <param name="session">Of the graph.</param>
    public static TensorBatching Run(TensorGraph graph, TensorSession session, TimeProvider time)
    {
        if (Obstacle(graph) is { } obstacle) return TensorBatching.None(obstacle);
        int? usual = null;
        var isTried = false;
        foreach (var size in Sizes)
        {
            if (!TryMinRows(graph, session, size, time, out usual, out var uneven)) continue;
            if (uneven is not null) return TensorBatching.None($"the first dimension of '{uneven}' is not that of the inputs");
            isTried = true;
            break;
        }

        if (!isTried) return TensorBatching.None("made-up inputs can't be run, so that nobody knows whether its rows are independent");
        if (usual is null) return TensorBatching.None("a row's results are not the same, bit for bit, in company");
        IReadOnlyList<int>[] free = [.. graph.Inputs.Select(input => (IReadOnlyList<int>)[.. FreeAxes(input)])];
        var one = Array.TrueForAll(free, axes => axes.Count == 0) ? usual : TryMinRows(graph, session, 1, time, out var ofOne, out _) ? ofOne : null;
        return new TensorBatching(usual, one, null) { FreeAxes = free };
    }

    /// <summary>Why the graph has no batch axis, by what it says of itself.</summary>
    private static string? Obstacle(TensorGraph graph)
    {
        var all = graph.Inputs.Concat(graph.Outputs).ToArray();
        if (graph.Inputs.Count == 0) return "it has no input";
        if (Array.Find(all, value => value.Dimensions is null) is { } unknown) return $"the number of dimensions of '{unknown.Name}' is not known";
        if (Array.Find(all, value => value.Dimensions!.Count == 0) is { } scalar) return $"'{scalar.Name}' is a scalar";
        if (Array.Find(all, value => value.Dimensions![0].Size is not null) is { } given)
            return $"the first dimension of '{given.Name}' is fixed to {given.Dimensions![0].Size}";
        // An output's are often what an exporter made up for them.
        string[] symbols =
            [.. graph.Inputs.Select(value => value.Dimensions![0].Symbol).Where(symbol => symbol.Length > 0).Distinct(StringComparer.Ordinal)];
        if (symbols.Length > 1) return $"the first dimensions of its inputs have different names: {string.Join(", ", symbols)}";
        return symbols is [var batch] && Array.Find(all, value => value.Dimensions!.Skip(1).Any(dimension => dimension.Symbol == batch)) is { } mixed
            ? $"'{mixed.Name}' has its first dimension, '{batch}', at another place too" : null;
    }

    private static IEnumerable<int> FreeAxes(OnnxValue value) =>
        Enumerable.Range(1, value.Dimensions!.Count - 1).Where(axis => value.Dimensions[axis].Size is null);

    /// <summary>Whether inputs of that size can be run at all.</summary>
    /// <param name="minRows">See <see cref="TensorBatching"/>.</param>
    /// <param name="uneven">An output that has not one row where the inputs have one; null where there is none.</param>
    private static bool TryMinRows(
        TensorGraph graph, TensorSession session, int size, TimeProvider time, out int? minRows, out string? uneven)
    {
        (minRows, uneven) = (null, null);
        var began = time.GetTimestamp();
        int? least = 1;
        try
        {
            for (var round = 0; least is not null && round < Rounds && (round == 0 || time.GetElapsedTime(began) < Enough); round++)
            {
                var seed = round * Company;
                IReadOnlyList<Tensor>[] requests =
                    [.. Enumerable.Range(1, Company).Select(row => MadeUpInputs.Make(graph.Inputs, size, 1, seed + row))];
                uneven ??= session.Run(requests[..1], null)[0].FirstOrDefault(output => output.Shape is not [1, ..])?.Name;
                if (uneven is not null) return true;
                var together = session.Run(requests, Ones(Company));
                for (var i = 0; least is not null && i < Parts.Length && (i < AlwaysTried || time.GetElapsedTime(began) < Enough); i++)
                {
                    var (first, rows) = Parts[i];
                    least = LeastRows(session, requests[first..(first + rows)], together[first..(first + rows)], least.Value);
                }
            }

            minRows = least;
            return true;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault) || fault is ArgumentException or OverflowException)
        {
            return false;
        }
    }

    /// <summary>How many rows a run of these has to have to give what they gave in company, from so many on; null where it never does.</summary>
    private static int? LeastRows(TensorSession session, IReadOnlyList<Tensor>[] requests, IReadOnlyList<Tensor>[] expected, int least)
    {
        for (; least <= 2; least++)
        {
            if (Same(expected, session.Run(requests, Ones(requests.Length), least))) return least;
            if (requests.Length > 1) return null;
        }

        return null;
    }

    private static int[] Ones(int count) => [.. Enumerable.Repeat(1, count)];

    private static bool Same(IReadOnlyList<Tensor>[] all, IReadOnlyList<Tensor>[] some) =>
        some.Zip(all).All(pair => pair.First.Zip(pair.Second).All(output =>
            output.First.Shape.SequenceEqual(output.Second.Shape) && output.First.Data.Span.SequenceEqual(output.Second.Data.Span)));
}
