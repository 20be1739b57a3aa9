using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Fitting.Training;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.ModelBuilder.Fitting;

/// <summary>Where a model is fitted to, and the head that it must have.</summary>
internal sealed class FitFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("r1-fit-").FullName;

    public string Target => Path.Combine(Root, "fitted");

    public string Graph => Path.Combine(Target, "model.onnx");

    public Task<ModelFit> FitAsync(SampleSet samples, ModelFolder? encoder = null, FitOptions? options = null) =>
        ModelFitter.FitAsync(samples, encoder, Target, "fitted", TimeProvider.System, options ?? new(),
            cancellation: TestContext.Current.CancellationToken);

    /// <summary>The vectors and the head, made apart from the graph that the fit writes.</summary>
    public async Task<(float[] Vectors, LogisticHead Head)> TrainAsync(IVectorSource source, SampleSet samples)
    {
        var work = Directory.CreateDirectory(Path.Combine(Root, "work")).FullName;
        var vectors = await source.ReadAsync(work, new Progress<int>(), TestContext.Current.CancellationToken);
        var scale = VectorScale.Of(vectors, vectors.Length / samples.Count, source.IsByColumn);
        var set = scale.Apply(vectors, [.. samples.Classes], samples.Labels.Count);
        return (vectors, LogisticHead.Fit(set, scale, CrossValidation.Run(set, samples.Labels, null, CancellationToken.None).Strength));
    }

    public static Tensor Numbers(float[] values, params long[] shape) =>
        new("values", TensorType.Float32, shape, MemoryMarshal.AsBytes<float>(values).ToArray());

    public static NumberSamples Samples(float[] values, int[] classes, params int[] shape) =>
        new([.. Enumerable.Range(1, classes.Length)], [.. classes.Select(c => $"class {c}")], shape, [], values, []);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
