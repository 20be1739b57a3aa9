using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>What vectors are made of a row of numbers, or of a window.</summary>
internal enum NumberForm
{
    /// <summary>All numbers as they are.</summary>
    Values,

    /// <summary>Of each feature of a window: mean, standard deviation, least, greatest, last number and slope.</summary>
    Statistics,
}

/// <summary>Vectors of rows of numbers and of windows.</summary>
internal sealed class NumberVectors(NumberSamples samples, NumberForm form) : IVectorSource
{
    private const string Input = "values", Plain = "numbers.onnx", Written = "vectors.onnx";
    private const int AtOnce = 4096;

    public string Description => form == NumberForm.Statistics ? "mean, deviation, least, greatest, last and slope of each feature"
        : samples.IsWindow ? "all numbers of the window" : "all columns";

    public bool IsByColumn => true;

    public bool IsImputing => !samples.IsWindow;

    public IReadOnlyList<(Precision Precision, bool Preload)> Variants => [(Precision.Fp32, false)];

    public SourceGraph Graph(Precision precision, string folder)
    {
        OnnxGraph plain = new("numbers");
        plain.Input(Input, DataType.Float, [BatchSymbol, .. samples.Shape.Cast<object>()]);
        plain.Output(plain.Node("Identity", "given", [Input]), DataType.Float, [BatchSymbol, .. samples.Shape.Cast<object>()]);
        var file = Path.Combine(folder, Plain);
        File.Delete(file);
        OnnxWriter.Write(plain, folder, Plain, BuilderVersion.Current, new Progress<long>(), CancellationToken.None);
        var graph = SourceGraph.Read(file);
        GraphExtension extension = new(graph);
        var (value, width) = form == NumberForm.Statistics ? (Statistics(extension), samples.Shape[1] * 6)
            : samples.IsWindow ? (extension.Reshape("window/flat", Input, 0, samples.Size), samples.Size) : (Input, samples.Size);
        extension.Finish((value, HeadGraph.Vectors, DataType.Float, [width]));
        return graph;
    }

    public Task<float[]> ReadAsync(string folder, IProgress<int> done, CancellationToken cancellation)
    {
        using var session = RuntimeGraph.OpenWith(Graph(Precision.Fp32, folder), [], folder, Written, cancellation);
        using RunOptions options = new();
        List<float> vectors = [];
        for (var first = 0; first < samples.Count; first += AtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            var count = Math.Min(AtOnce, samples.Count - first);
            var content = samples.Values.AsMemory(first * samples.Size, count * samples.Size);
            using var input = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, content,
                [count, .. samples.Shape.Select(size => (long)size)]);
            using var results = session.Run(options, [Input], [input], [HeadGraph.Vectors]);
            vectors.AddRange(results[0].GetTensorDataAsSpan<float>());
            done.Report(first + count);
        }

        File.Delete(Path.Combine(folder, Written));
        float[] all = [.. vectors];
        if (!IsImputing && Array.FindIndex(all, number => !float.IsFinite(number)) is >= 0 and var wrong)
            throw new InvalidDataException(
                $"{samples.Place(wrong / (all.Length / samples.Count))}: the numbers are so large that their {Description} are beyond float32.");
        return Task.FromResult(all);
    }

    public void WriteFiles(string folder, IReadOnlyList<string> labels)
    {
        LabelConfig.Write(Path.Combine(folder, ModelFiles.ConfigFile), [], labels, samples.Columns);
        if (samples.IsWindow) LabelConfig.WriteSeries(Path.Combine(folder, ModelFiles.SeriesFile), Input, labels, Rarest());
    }

    /// <summary>The label with the fewest samples: what a decision over events is mostly about.</summary>
    private int Rarest() => samples.Classes.GroupBy(one => one).MinBy(group => (group.Count(), group.Key))!.Key;

    private const string BatchSymbol = "batch";

    private string Statistics(GraphExtension extension)
    {
        var (steps, features) = (samples.Shape[0], samples.Shape[1]);
        var share = extension.Number("window/share", 1f / steps);
        var mean = extension.Node("Mul", "window/mean", [extension.Sum("window/sum", Input, 1), share]);
        var shifted = extension.Node("Sub", "window/shifted", [Input, extension.Reshape("window/mean_row", mean, 0, 1, features)]);
        var squares = extension.Sum("window/squares", extension.Node("Mul", "window/square", [shifted, shifted]), 1);
        var deviation = extension.Node("Sqrt", "window/deviation", [extension.Node("Mul", "window/variance", [squares, share])]);
        var last = extension.Node("Gather", "window/last", [Input, extension.Index("window/end", steps - 1)], ("axis", 1));
        // Least squares over the steps' numbers: a window of one step has none.
        var times = Enumerable.Range(0, steps).Select(step => step - ((steps - 1) / 2f)).ToArray();
        var spread = Math.Max(1, times.Sum(time => time * time));
        var timed = extension.Node("Mul", "window/timed",
            [shifted, extension.Floats("window/times", [.. times.Select(time => time / spread)], steps, 1)]);
        return extension.Node("Concat", "window/statistics",
            [mean, deviation, extension.Least("window/least", Input, 1), extension.Greatest("window/greatest", Input, 1), last,
                extension.Sum("window/slope", timed, 1)], ("axis", 1));
    }
}
