using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Tests.Api.OpenInference;

namespace R1Serverless.Tests.Conformance;

/// <summary>What ONNX Runtime itself makes of a graph's inputs.</summary>
/// <param name="Runs">The graph's own sets, and where they can be run the same with their elements turned by one place: others of the same
/// shapes.</param>
/// <param name="IsExpected">Whether it gives what the graph's files expect.</param>
internal sealed record PlainCase(OnnxTestCase Case, IReadOnlyList<PlainRun> Runs, bool IsExpected)
{
    /// <summary>The reason of those with sequences, maps or optionals.</summary>
    public const string NoTensors = "not of tensors only";

    private const double Relative = 1e-3, Absolute = 1e-5;

    /// <summary>Runs that have to give the same: some random operators begin with the same numbers twice.</summary>
    private const int Times = 4;

    /// <summary>Null with the reason where it is not to be compared: ONNX Runtime does not run it, it is not of tensors only, or it is
    /// random.</summary>
    public static PlainCase? Run(OnnxTestCase one, out string? reason)
    {
        reason = null;
        try
        {
            using PlainRuntime runtime = new(one.Graph);
            List<PlainRun> runs = [];
            var isExpected = true;
            foreach (var (inputs, expected) in one.Sets())
            {
                if (runtime.Run(inputs) is not { } outputs || expected.Count != outputs.Count)
                {
                    reason = NoTensors;
                    return null;
                }

                if (Enumerable.Range(1, Times - 1).Any(_ => !Same(outputs, runtime.Run(inputs)!)))
                {
                    reason = "random: not the same each time";
                    return null;
                }

                isExpected &= expected.Zip(outputs).All(pair => IsNear(pair.First, pair.Second));
                runs.Add(new PlainRun(inputs, outputs));
                if (Turned(runtime, inputs) is { } turned) runs.Add(turned);
            }

            if (runs.Count == 0) reason = NoTensors;
            return runs.Count == 0 ? null : new PlainCase(one, runs, isExpected);
        }
        catch (OnnxRuntimeException fault)
        {
            reason = $"ONNX Runtime: {fault.Message}";
            return null;
        }
    }

    private static bool Same(IReadOnlyList<Tensor> one, IReadOnlyList<Tensor> other) =>
        one.Zip(other).All(pair => TensorGen.Difference(pair.First, pair.Second, isJson: false) is null);

    private static PlainRun? Turned(PlainRuntime runtime, IReadOnlyList<Tensor> inputs)
    {
        IReadOnlyList<Tensor> turned = [.. inputs.Select(input =>
        {
            var size = TensorTypes.Size(input.Type);
            return input.Data.Length <= size || size == 0 ? input
                : input with { Data = (byte[])[.. input.Data.Span[size..], .. input.Data.Span[..size]] };
        })];
        try
        {
            return runtime.Run(turned) is { } outputs && Same(outputs, runtime.Run(turned)!) ? new PlainRun(turned, outputs) : null;
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    private static bool IsNear(Tensor expected, Tensor actual)
    {
        if (expected.Type != actual.Type || !expected.Shape.SequenceEqual(actual.Shape)) return false;
        if (expected.Data.Span.SequenceEqual(actual.Data.Span)) return true;
        if (expected.Type == TensorType.Bytes) return false;
        var size = TensorTypes.Size(expected.Type);
        for (var at = 0; at < expected.Data.Length; at += size)
        {
            double one = Number(expected, at, size), other = Number(actual, at, size);
            if (one.Equals(other) || Math.Abs(one - other) <= Absolute + (Relative * Math.Abs(one))) continue;
            return false;
        }

        return true;
    }

    private static double Number(Tensor tensor, int at, int size) => JsonTensors.Element(tensor.Type, tensor.Data.Span.Slice(at, size)) switch
    {
        "true" => 1,
        "false" => 0,
        var text => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture),
    };
}

/// <summary>Inputs, and the outputs that ONNX Runtime itself gives for them.</summary>
internal sealed record PlainRun(IReadOnlyList<Tensor> Inputs, IReadOnlyList<Tensor> Outputs);
