using System.Globalization;
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
    private const int Company = 16, Compared = 3;

    /// <summary>Sizes that free dimensions are tried with: tokens of a text, or pixels where convolutions need more.</summary>
    public static IReadOnlyList<int> Sizes { get; } = [8, 32, 64, 224];

    /// <param name="graph">What it takes and gives.</param>
    /// <param name="session">Of the graph.</param>
    public static TensorBatching Run(TensorGraph graph, TensorSession session)
    {
        if (Obstacle(graph) is { } obstacle) return TensorBatching.None(obstacle);
        int? usual = null;
        var isTried = false;
        foreach (var size in Sizes)
        {
            if (!TryMinRows(graph, session, size, out usual)) continue;
            isTried = true;
            break;
        }

        if (!isTried) return TensorBatching.None("made-up inputs can't be run, so that nobody knows whether its rows are independent");
        if (usual is null) return TensorBatching.None("a row's results are not the same, bit for bit, in company");
        IReadOnlyList<int>[] free = [.. graph.Inputs.Select(input => (IReadOnlyList<int>)[.. FreeAxes(input)])];
        var one = Array.TrueForAll(free, axes => axes.Count == 0) ? usual : TryMinRows(graph, session, 1, out var ofOne) ? ofOne : null;
        return new TensorBatching(usual, one, null) { FreeAxes = free };
    }

    /// <summary>A request of that many rows. The same number gives the same content.</summary>
    public static IReadOnlyList<Tensor> Inputs(TensorGraph graph, int size, int rows, int seed)
    {
        var random = new Random(seed);
        return [.. graph.Inputs.Select(input => Made(input, size, rows, random))];
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
    private static bool TryMinRows(TensorGraph graph, TensorSession session, int size, out int? minRows)
    {
        minRows = null;
        IReadOnlyList<Tensor>[] requests = [.. Enumerable.Range(1, Company).Select(seed => Inputs(graph, size, 1, seed))];
        int[] rows = [.. Enumerable.Repeat(1, Company)];
        try
        {
            var together = session.Run(requests, rows);
            var few = session.Run(requests[..Compared], rows[..Compared]);
            if (!Same(together, few)) return true;
            for (var least = 1; least <= 2 && minRows is null; least++)
            {
                var alone = requests[..Compared].Select(request => session.Run([request], [1], least)[0]).ToArray();
                if (Same(together, alone)) minRows = least;
            }

            return true;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault) || fault is ArgumentException or OverflowException)
        {
            return false;
        }
    }

    private static bool Same(IReadOnlyList<Tensor>[] all, IReadOnlyList<Tensor>[] some) =>
        some.Zip(all).All(pair => pair.First.Zip(pair.Second).All(output =>
            output.First.Shape.SequenceEqual(output.Second.Shape) && output.First.Data.Span.SequenceEqual(output.Second.Data.Span)));

    /// <summary>Whole numbers are 0 or 1, which are tokens of any vocabulary and masks.</summary>
    private static Tensor Made(OnnxValue input, int size, int rows, Random random)
    {
        long[] shape = [.. input.Dimensions!.Select((dimension, axis) => axis == 0 ? dimension.Size ?? rows : dimension.Size ?? size)];
        var type = TensorGraph.TypeOf(input);
        var elements = checked((int)(Tensor.Elements(shape) ?? long.MaxValue));
        using MemoryStream data = new(elements * Math.Max(1, TensorTypes.Size(type)));
        for (var i = 0; i < elements; i++) data.Write(Element(type, random));
        return new Tensor(input.Name, type, shape, data.ToArray());
    }

    private static byte[] Element(TensorType type, Random random) => type switch
    {
        TensorType.Float32 => BitConverter.GetBytes((random.NextSingle() * 2) - 1),
        TensorType.Float64 => BitConverter.GetBytes((random.NextDouble() * 2) - 1),
        TensorType.Float16 => BitConverter.GetBytes((Half)((random.NextSingle() * 2) - 1)),
        TensorType.BFloat16 => BitConverter.GetBytes((random.NextSingle() * 2) - 1)[2..],
        TensorType.Bytes => [2, 0, 0, 0, .. System.Text.Encoding.ASCII.GetBytes(random.Next(10, 100).ToString(CultureInfo.InvariantCulture))],
        _ => [(byte)random.Next(2), .. new byte[TensorTypes.Size(type) - 1]],
    };
}
