using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Fitting.Training;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Fits a logistic classifier to labelled samples, and makes a model folder of it that takes what the samples are: texts, pictures, rows of
/// numbers or windows.</summary>
public static class ModelFitter
{
    /// <summary>What was measured, in the folder.</summary>
    public const string ReportFile = "fit-report.json";

    /// <summary>Builds into a folder beside <paramref name="target"/> and renames it at the end, as <see cref="TensorModelBuilder"/> does.</summary>
    /// <param name="samples">Of at least two labels, each at least twice.</param>
    /// <param name="encoder">Makes vectors of texts or pictures; null for numbers.</param>
    /// <param name="target">The folder to make; a model that stands there is replaced.</param>
    /// <param name="name">The model's name in the manifest.</param>
    /// <param name="time">Dates the manifest, and measures.</param>
    /// <exception cref="InvalidDataException">A sample can't be used; the message names its line.</exception>
    /// <exception cref="InvalidModelException">The encoder can't be used, or the target is no model folder.</exception>
    /// <exception cref="IOException">A file can't be read or written.</exception>
    public static async Task<ModelFit> FitAsync(SampleSet samples, ModelFolder? encoder, string target, string name, TimeProvider time,
        FitOptions options, IProgress<FitProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (!ModelName.IsValid(name))
            throw new InvalidModelException($"'{name}' is no model name: use letters, digits, dots, dashes and underscores, not a dot first.");
        target = Path.GetFullPath(target);
        BuiltFolder.CheckReplaceable(target);
        var disk = Path.GetDirectoryName(target) ?? throw new InvalidModelException($"{target} cannot be a model folder.");
        DiskSpace.Require(disk, encoder is null ? 0 : encoder.Manifest.Variants.Sum(variant => variant.Bytes) + encoder.Manifest.Variants[0].Bytes);
        using var work = WorkFolder.Create(disk);
        var (encoding, fitting) = (TimeSpan.Zero, TimeSpan.Zero);
        List<Candidate> candidates = [];
        foreach (var source in Sources(samples, encoder, options))
        {
            var began = time.GetTimestamp();
            var relay = new Relay<int>(done => progress?.Report(new("Reading", done, samples.Count)));
            var vectors = await source.ReadAsync(work.Path, relay, cancellation);
            var read = time.GetTimestamp();
            candidates.Add(await Task.Run(() => Judge(source, vectors, samples, progress, cancellation), cancellation));
            (encoding, fitting) = (encoding + time.GetElapsedTime(began, read), fitting + time.GetElapsedTime(read));
        }

        var best = candidates.MinBy(one => one.Report.LogLoss)!;
        var fitted = time.GetTimestamp();
        var head = LogisticHead.Fit(best.Set, best.Scale, best.Report.Strength);
        fitting += time.GetElapsedTime(fitted);
        var manifest = Write(work, best.Source, head, samples, encoder, name, time, progress, cancellation);
        await File.WriteAllTextAsync(Path.Combine(work.Done, ReportFile), JsonSerializer.Serialize(best.Report, FitJson.Default.FitReport),
            cancellation);
        BuiltFolder.Place(work.Done, target, () => false);
        return new ModelFit(manifest, best.Report, [.. samples.Notes, .. Notes(candidates, best)], encoding, fitting);
    }

    /// <summary>Several where it is measured which of them is best.</summary>
    private static IReadOnlyList<IVectorSource> Sources(SampleSet samples, ModelFolder? encoder, FitOptions options) => (samples, encoder) switch
    {
        (TextSamples texts, { } one) => [new EncoderVectors(texts, one, options.Truncates)],
        (PictureSamples pictures, { } one) => [new PictureVectors(pictures, one)],
        (TextSamples or PictureSamples, null) => throw new InvalidDataException("Texts and pictures need an encoder that makes vectors of them."),
        (NumberSamples, { }) => throw new InvalidDataException("Numbers need no encoder."),
        (NumberSamples { IsWindow: true } windows, _) =>
            [new NumberVectors(windows, NumberForm.Statistics), new NumberVectors(windows, NumberForm.Values)],
        _ => [new NumberVectors((NumberSamples)samples, NumberForm.Values)],
    };

    private static Candidate Judge(IVectorSource source, float[] vectors, SampleSet samples, IProgress<FitProgress>? progress,
        CancellationToken cancellation)
    {
        var scale = VectorScale.Of(vectors, vectors.Length / samples.Count, source.IsByColumn);
        var set = scale.Apply(vectors, [.. samples.Classes], samples.Labels.Count);
        var tried = new Relay<int>(done => progress?.Report(new("Fitting", done, CrossValidation.Strengths.Count)));
        var report = CrossValidation.Run(set, samples.Labels, tried, cancellation) with { Vectors = source.Description };
        progress?.Report(new("Fitting", CrossValidation.Strengths.Count, CrossValidation.Strengths.Count));
        return new Candidate(source, scale, set, report);
    }

    private static ModelManifest Write(WorkFolder work, IVectorSource source, LogisticHead head, SampleSet samples, ModelFolder? encoder, string name,
        TimeProvider time, IProgress<FitProgress>? progress, CancellationToken cancellation)
    {
        List<ModelVariant> written = [];
        var parameters = 0L;
        foreach (var (precision, preload) in source.Variants)
        {
            var graph = source.Graph(precision, work.Path);
            HeadGraph.Join(graph, head, samples.Labels, source.IsImputing);
            var file = BuiltFolder.GraphFile(precision);
            var data = graph.Write(work.Done, file, progress: null, cancellation);
            RuntimeGraph.Check(Path.Combine(work.Done, file));
            var bytes = new[] { file, data }.Sum(one => one is null ? 0 : new FileInfo(Path.Combine(work.Done, one)).Length);
            if (written.Count == 0) parameters = graph.Constants.Where(StoredTensor.IsFloatingPoint).Sum(StoredTensor.Elements);
            written.Add(new ModelVariant(precision, file, data, bytes) { Preload = preload });
            progress?.Report(new("Writing", written.Count, source.Variants.Count));
        }

        source.WriteFiles(work.Done, samples.Labels);
        ModelManifest manifest = new()
        {
            Format = ModelManifest.CurrentFormat,
            Kind = ModelKind.Tensors,
            Name = name,
            Created = time.GetUtcNow(),
            Fingerprint = Fingerprint(head, samples, encoder),
            Parameters = parameters,
            Variants = written,
        };
        manifest.Save(Path.Combine(work.Done, ModelManifest.FileName));
        return manifest;
    }

    private static IEnumerable<string> Notes(List<Candidate> candidates, Candidate best)
    {
        if (candidates.Count > 1)
            yield return $"Vectors are {best.Report.Vectors}; " + string.Join("; ", candidates.Where(one => one != best).Select(one =>
                string.Create(CultureInfo.InvariantCulture,
                    $"{one.Report.Vectors} got {one.Report.Accuracy:P1} instead of {best.Report.Accuracy:P1}")))
                + ".";
        if (best.Report.Low <= best.Report.Baseline)
            yield return "This is not certainly better than always giving the most frequent label: more samples, or others, are needed.";
    }

    /// <summary>SHA-256 over the builder's version, the encoder's fingerprint, labels and head, in hexadecimal.</summary>
    private static string Fingerprint(LogisticHead head, SampleSet samples, ModelFolder? encoder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(
            $"r1-fit {BuilderVersion.Current}\n{encoder?.Manifest.Fingerprint}\n{string.Join('\n', samples.Labels)}\n"));
        foreach (var part in (float[][])[head.Centre, head.Weights, head.Biases]) hash.AppendData(MemoryMarshal.AsBytes<float>(part));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private sealed record Candidate(IVectorSource Source, VectorScale Scale, TrainingSet Set, FitReport Report);

    /// <summary>On the thread that reports.</summary>
    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
