using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Engine.Tensors;

/// <summary>Whether requests to a graph may share a run, and at how many rows it gives each row the bits that it has in any company.</summary>
/// <param name="MinRows">Rows of the smallest run with a row's usual bits, 1 or 2; null where there is none, or no batch axis.</param>
/// <param name="MinRowsOfOne">The same for inputs whose other free dimensions are all 1: with a single row ONNX Runtime multiplies by another
/// kernel.</param>
/// <param name="Reason">Why requests are run one by one; null where they may share a run.</param>
internal sealed record TensorBatching(int? MinRows, int? MinRowsOfOne, string? Reason)
{
    /// <summary>Free dimensions beside the batch axis: per input, their places.</summary>
    public IReadOnlyList<IReadOnlyList<int>> FreeAxes { get; init; } = [];

    public static TensorBatching None(string reason) => new(null, null, reason);

    /// <summary>Rows of a request along the batch axis; null where it is to be run by itself, as are inputs with different numbers of rows, of which
    /// the graph may stretch one.</summary>
    public int? RowsOf(IReadOnlyList<Tensor> inputs) =>
        MinRowsFor(inputs) is null || inputs[0].Shape[0] is 0 or > int.MaxValue || inputs.Any(input => input.Shape[0] != inputs[0].Shape[0])
            ? null : (int)inputs[0].Shape[0];

    /// <summary>How many rows its run has to have at least.</summary>
    public int MinRowsOf(IReadOnlyList<Tensor> inputs) => MinRowsFor(inputs) ?? 1;

    private int? MinRowsFor(IReadOnlyList<Tensor> inputs) => IsOne(inputs) ? MinRowsOfOne : MinRows;

    private bool IsOne(IReadOnlyList<Tensor> inputs)
    {
        for (var i = 0; i < FreeAxes.Count; i++)
        {
            foreach (var axis in FreeAxes[i])
            {
                if (inputs[i].Shape[axis] != 1) return false;
            }
        }

        return true;
    }
}
