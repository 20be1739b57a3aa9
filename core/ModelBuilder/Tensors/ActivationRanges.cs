using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>How far values of a graph reach over calibration inputs.</summary>
internal static class ActivationRanges
{
    private const string FileName = "calibration.onnx";

    /// <summary>Images and series also run with noise added, so much of their own deviation: how far noisy inputs reach would be cut off
    /// else.</summary>
    private const double Noise = 0.4;

    /// <summary>The least and the greatest number of each value.</summary>
    /// <param name="graph">In float32.</param>
    /// <param name="values">Inputs, or made by nodes; of float32.</param>
    /// <param name="inputs">For each run all inputs.</param>
    /// <param name="folder">Takes files.</param>
    /// <param name="progress">Told how many runs are done.</param>
    /// <exception cref="InvalidModelException">The inputs don't fit the graph.</exception>
    public static Dictionary<string, (float Least, float Greatest)> Measure(
        SourceGraph graph, IReadOnlyCollection<string> values, IReadOnlyList<IReadOnlyList<Tensor>> inputs, string folder, IProgress<int> progress,
        CancellationToken cancellation)
    {
        HashSet<string> given = [.. graph.Model.Graph.Input.Select(input => input.Name)];
        string[] made = [.. values.Where(name => !given.Contains(name))];
        using var session = RuntimeGraph.OpenWith(graph, made, folder, FileName, cancellation);
        using var options = new RunOptions();
        Dictionary<string, (float Least, float Greatest)> ranges = new(StringComparer.Ordinal);
        foreach (var (run, tensors) in inputs.Index())
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                Run(tensors);
                if (AddedNoise.IsFor(tensors)) Run(AddedNoise.To(tensors, Noise, run));
            }
            catch (Exception fault) when (fault is OnnxRuntimeException or KeyNotFoundException)
            {
                throw new InvalidModelException($"{graph.Path} can't run calibration input {run + 1}: {fault.Message}", fault);
            }

            progress.Report(run + 1);
        }

        return ranges;

        void Run(IReadOnlyList<Tensor> tensors)
        {
            var fed = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
            try
            {
                foreach (var tensor in tensors) fed[tensor.Name] = Value(tensor);
                using var results = session.Run(options, fed, made);
                foreach (var (name, value) in made.Zip(results)) Widen(ranges, name, value.GetTensorDataAsSpan<float>());
                foreach (var name in values.Where(given.Contains)) Widen(ranges, name, fed[name].GetTensorDataAsSpan<float>());
            }
            finally
            {
                foreach (var value in fed.Values) value.Dispose();
            }
        }
    }

    private static OrtValue Value(Tensor tensor) =>
        tensor.Type == TensorType.Bytes ? throw new InvalidModelException($"The calibration input {tensor.Name} is of texts.")
        : tensor.Misfit() is { } misfit ? throw new InvalidModelException($"The calibration input {tensor.Name}: {misfit}.")
        : TensorValues.Of(tensor);

    private static void Widen(Dictionary<string, (float Least, float Greatest)> ranges, string name, ReadOnlySpan<float> numbers)
    {
        if (numbers.IsEmpty) return;
        var (least, greatest) = (TensorPrimitives.Min(numbers), TensorPrimitives.Max(numbers));
        if (!float.IsFinite(least) || !float.IsFinite(greatest))
            throw new InvalidModelException($"Over the calibration inputs the value {name} is not always a finite number.");
        ref var range = ref CollectionsMarshal.GetValueRefOrAddDefault(ranges, name, out var exists);
        range = exists ? (Math.Min(range.Least, least), Math.Max(range.Greatest, greatest)) : (least, greatest);
    }
}
