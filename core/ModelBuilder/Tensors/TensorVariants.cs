using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>The variants of one graph.</summary>
internal sealed class TensorVariants
{
    private readonly SourceGraph _plain;
    private readonly string _folder;
    private readonly TensorBuildOptions _options;
    private readonly IProgress<int> _calibrated;
    private readonly CancellationToken _cancellation;
    private readonly List<string> _notes = [];
    private (SourceGraph Graph, IReadOnlyDictionary<string, NodeMetadata> Values)? _optimised;

    /// <param name="graph">As it was read.</param>
    /// <param name="folder">Takes files.</param>
    /// <param name="options">With calibration inputs.</param>
    /// <param name="calibrated">Told how many of those have run.</param>
    public TensorVariants(SourceGraph graph, string folder, TensorBuildOptions options, IProgress<int> calibrated, CancellationToken cancellation)
    {
        (_plain, _folder, _options, _calibrated, _cancellation) = (graph, folder, options, calibrated, cancellation);
        if (!BatchAxis.IsFixed(graph)) return;
        var freed = BatchAxis.Free(graph, folder, cancellation);
        _notes.Add(freed is null ? "The first axis stays 1: two rows together gave other results than alone."
            : "The first axis, which was 1, is free.");
        _plain = freed ?? graph;
    }

    public IReadOnlyList<string> Notes => _notes;

    /// <exception cref="InvalidModelException">There is no variant of this precision.</exception>
    public SourceGraph Make(Precision precision)
    {
        if (precision == Precision.Fp32) return _plain;
        if (_optimised is null)
        {
            var optimised = RuntimeGraph.Optimise(_plain, _folder, _cancellation);
            _optimised = (optimised, RuntimeGraph.Values(optimised, _folder, _cancellation));
        }

        var (graph, values) = (_optimised.Value.Graph.Clone(), _optimised.Value.Values);
        return precision == Precision.Fp16 ? Half(graph, values) : Integer(graph, values);
    }

    private SourceGraph Half(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values)
    {
        var all = graph.Nodes.Count;
        var halves = HalfGraph.Rewrite(graph, values);
        if (halves == 0) throw new InvalidModelException($"{_plain.Path} has no products or convolutions: there is nothing for fp16.");
        _notes.Add($"fp16: {halves} of {all} nodes.");
        return graph;
    }

    private SourceGraph Integer(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values)
    {
        var obstacle = OpsetRaise.Apply(graph, values);
        var convolutions = new StaticConvolutions(graph, values);
        var isCalibrated = _options.Calibration.Count > 0 && convolutions.Count > 0;
        if (isCalibrated)
            convolutions.Rewrite(ActivationRanges.Measure(_optimised!.Value.Graph, convolutions.Values, _options.Calibration, _folder, _calibrated,
                _cancellation));
        var products = RowProducts.Rewrite(graph, values);
        var stay = !isCalibrated && convolutions.Count > 0
            ? $" {convolutions.Count} convolutions stay fp32: without calibration inputs it is not known how far their inputs reach." : "";
        if (products == 0 && !isCalibrated)
            throw new InvalidModelException($"{_plain.Path} has nothing that int8 makes faster: products with constant matrices of at least "
                + $"{RowProducts.MinWeights} weights, or calibrated convolutions.{stay}"
                + (obstacle is null ? ""
                    : $" Operator set {graph.Opset} is too old, and its {obstacle} can't be written as one of {OpsetRaise.Target}."));
        _notes.Add($"int8: {products} products and {(isCalibrated ? convolutions.Count : 0)} convolutions.{stay}");
        return graph;
    }
}
