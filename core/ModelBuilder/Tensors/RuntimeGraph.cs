using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>What ONNX Runtime says of a graph. All files go into a folder that the caller empties.</summary>
internal static class RuntimeGraph
{
    private const string Source = "source.onnx", Optimised = "optimised.onnx", Listed = "values.onnx";

    /// <summary>Constants below this stay in the graph's file.</summary>
    private const int SmallConstant = 1024;

    /// <summary>The graph after optimisations that hold for every device: what is constant is computed, and normalisations of batches are part of the
    /// convolutions before them.</summary>
    /// <exception cref="InvalidModelException">ONNX Runtime can't load it.</exception>
    public static SourceGraph Optimise(SourceGraph graph, string folder, CancellationToken cancellation)
    {
        graph.Write(folder, Source, progress: null, cancellation);
        using var settings = Settings(GraphOptimizationLevel.ORT_ENABLE_BASIC);
        settings.OptimizedModelFilePath = Path.Combine(folder, Optimised);
        settings.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", $"{Optimised}.data");
        settings.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", $"{SmallConstant}");
        Open(Path.Combine(folder, Source), graph.Path, settings).Dispose();
        return SourceGraph.Read(Path.Combine(folder, Optimised));
    }

    /// <summary>All values that nodes make, and the inputs, with their types; dimensions that are not known are -1, and there are none where their
    /// number is not known.</summary>
    public static IReadOnlyDictionary<string, NodeMetadata> Values(SourceGraph graph, string folder, CancellationToken cancellation)
    {
        var values = graph.Nodes.SelectMany(node => node.Output).Where(name => name.Length > 0);
        using var session = OpenWith(graph, values, folder, Listed, cancellation);
        Dictionary<string, NodeMetadata> found = new(session.InputMetadata, StringComparer.Ordinal);
        foreach (var (name, value) in session.OutputMetadata) found[name] = value;
        return found;
    }

    /// <summary>A session of the graph as it is, whose outputs are these values too.</summary>
    public static InferenceSession OpenWith(SourceGraph graph, IEnumerable<string> values, string folder, string fileName,
        CancellationToken cancellation)
    {
        graph.Write(folder, fileName, progress: null, cancellation, values);
        using var settings = Settings(GraphOptimizationLevel.ORT_DISABLE_ALL);
        return Open(Path.Combine(folder, fileName), graph.Path, settings);
    }

    /// <summary>Whether ONNX Runtime loads the file.</summary>
    /// <exception cref="InvalidModelException">It does not.</exception>
    public static void Check(string path)
    {
        using var settings = Settings(GraphOptimizationLevel.ORT_ENABLE_ALL);
        Open(path, path, settings).Dispose();
    }

    public static bool IsFloat(this IReadOnlyDictionary<string, NodeMetadata> values, string name) =>
        values.GetValueOrDefault(name) is { IsTensor: true, ElementDataType: TensorElementType.Float };

    /// <summary>The number of dimensions; null where it is not known.</summary>
    public static int? Rank(this IReadOnlyDictionary<string, NodeMetadata> values, string name) =>
        values.GetValueOrDefault(name) is { IsTensor: true, Dimensions.Length: > 0 and var rank } ? rank : null;

    private static InferenceSession Open(string path, string named, SessionOptions settings)
    {
        try
        {
            return new InferenceSession(path, settings);
        }
        catch (OnnxRuntimeException fault)
        {
            throw new InvalidModelException($"ONNX Runtime can't load {named}: {fault.Message}", fault);
        }
    }

    private static SessionOptions Settings(GraphOptimizationLevel level) =>
        new() { GraphOptimizationLevel = level, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
}
