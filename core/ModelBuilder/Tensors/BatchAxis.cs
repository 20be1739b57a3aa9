using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Engine.Tensors;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models.Layouts;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>Graphs whose first axis was fixed to one when they were exported, although nothing in them needs that.</summary>
internal static class BatchAxis
{
    private const string FileName = "batch.onnx", Symbol = "batch";

    /// <summary>Of what both sides make, relative to the greatest: float32 sums in another order.</summary>
    private const float Tolerance = 1e-4f;

    /// <summary>Of each other free dimension, and elements of an input that are worth a trial.</summary>
    private const int Size = 8, MaxElements = 1 << 26;

    /// <summary>Whether every input and output begins with an axis of size 1.</summary>
    public static bool IsFixed(SourceGraph graph)
    {
        var all = graph.Model.Graph.Input.Concat(graph.Model.Graph.Output).Select(First).ToList();
        return graph.Model.Graph.Input.Count > 0 && all.All(first => first is { DimValue: 1 });
    }

    /// <summary>The graph with a first axis of any size, if two rows then give what each of them gives alone; else null.</summary>
    /// <param name="graph">One that <see cref="IsFixed"/> holds of; it stays as it is.</param>
    /// <param name="folder">Takes files.</param>
    public static SourceGraph? Free(SourceGraph graph, string folder, CancellationToken cancellation)
    {
        var freed = graph.Clone();
        foreach (var first in freed.Model.Graph.Input.Concat(freed.Model.Graph.Output).Select(First)) first!.DimParam = Symbol;
        List<NodeProto> nodes = [.. freed.Nodes];
        foreach (var node in nodes.Where(node => node.OpType == "Reshape" && SourceGraph.IsPlain(node) && node.Input.Count == 2))
        {
            // Zero is for: as large as the input's.
            if (freed.Constant(node.Input[1]) is { } shape && Integers(shape) is [1, _, ..] sizes)
                node.Input[1] = freed.Add<long>($"{shape.Name}/batch", DataType.Int64, [sizes.Length], [0, .. sizes[1..]]);
        }

        freed.Replace(nodes);
        try
        {
            using var session = RuntimeGraph.OpenWith(freed, [], folder, FileName, cancellation);
            return IsIndependent(session, freed) ? freed : null;
        }
        catch (Exception fault) when (fault is OnnxRuntimeException or Models.InvalidModelException)
        {
            return null;
        }
    }

    private static bool IsIndependent(InferenceSession session, SourceGraph graph)
    {
        OnnxValue[] inputs = [.. graph.Model.Graph.Input.Select(Value)];
        if (inputs.Any(input => Tensor.Elements([.. input.Dimensions!.Skip(1).Select(one => one.Size ?? Size)]) is not (> 0 and < MaxElements)))
            return false;
        var (one, other) = (MadeUpInputs.Make(inputs, Size, 1, seed: 1), MadeUpInputs.Make(inputs, Size, 1, seed: 2));
        Tensor[] both = [.. one.Zip(other, (a, b) => a with { Shape = [2, .. a.Shape.Skip(1)], Data = (byte[])[.. a.Data.Span, .. b.Data.Span] })];
        foreach (var (alone, next, together) in Run(session, one).Zip(Run(session, other), Run(session, both)))
        {
            if (together.Length != alone.Length + next.Length) return false;
            var greatest = together.Select(Math.Abs).Append(1e-6f).Max();
            if (alone.Concat(next).Zip(together).Any(pair => !(Math.Abs(pair.First - pair.Second) <= Tolerance * greatest))) return false;
        }

        return true;
    }

    /// <summary>Every output's numbers; of outputs that are not float32, none.</summary>
    private static List<float[]> Run(InferenceSession session, IReadOnlyList<Tensor> inputs)
    {
        var values = inputs.ToDictionary(tensor => tensor.Name, TensorValues.Of, StringComparer.Ordinal);
        try
        {
            using var options = new RunOptions();
            using var results = session.Run(options, values, session.OutputNames);
            return [.. results.Select(value => value.GetTensorTypeAndShape().ElementDataType == TensorElementType.Float
                ? value.GetTensorDataAsSpan<float>().ToArray() : [])];
        }
        finally
        {
            foreach (var value in values.Values) value.Dispose();
        }
    }

    private static OnnxValue Value(ValueInfoProto input) => new(
        input.Name, input.Type.TensorType.ElemType,
        [.. input.Type.TensorType.Shape.Dim.Select(size => new OnnxDimension(size.DimValue > 0 ? size.DimValue : null, size.DimParam))]);

    private static TensorShapeProto.Types.Dimension? First(ValueInfoProto value) => value.Type?.TensorType?.Shape?.Dim.FirstOrDefault();

    private static long[] Integers(TensorProto tensor) => tensor.DataType != (int)DataType.Int64 ? []
        : tensor.RawData.Length > 0 ? MemoryMarshal.Cast<byte, long>(tensor.RawData.Span).ToArray() : [.. tensor.Int64Data];
}
