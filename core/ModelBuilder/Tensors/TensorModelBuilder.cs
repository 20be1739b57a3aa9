using System.Security.Cryptography;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.Models;
using R1Serverless.Models.Layouts;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>Builds a model folder from any ONNX graph: the graph as it is, and in lower precisions. A first axis that is fixed to 1 becomes free,
/// where that holds.</summary>
public static class TensorModelBuilder
{
    /// <summary>What a build writes for a while beside the variants, in the graph's size: it is optimised, listed and calibrated.</summary>
    private const int ScratchFactor = 5;

    /// <summary>Builds into a folder beside <paramref name="target"/> and renames it at the end: the target is the old model or the whole new
    /// one.</summary>
    /// <param name="source">An ONNX file; its weights may be in files beside it.</param>
    /// <param name="target">The folder to make; a model that stands there is replaced.</param>
    /// <param name="name">The model's name in the manifest.</param>
    /// <param name="time">Dates the manifest.</param>
    /// <param name="options">What to make.</param>
    /// <param name="progress">Reported on the calling thread. The total is estimated from the source's size.</param>
    /// <param name="cancellation">Stops the build and removes what it has written.</param>
    /// <exception cref="InvalidModelException">The graph is damaged, or has no variant of a precision, or the target is no model folder; the message
    /// says what and why.</exception>
    /// <exception cref="IOException">A file can't be read or written; where the disk is full, the message says what is needed.</exception>
    public static TensorBuild Build(
        string source, string target, string name, TimeProvider time, TensorBuildOptions options, IProgress<BuildProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        IReadOnlyList<Precision> precisions = options.Precisions is { Count: > 0 } some ? [.. some.Distinct().Order()] : [Precision.Fp32];
        if (!ModelName.IsValid(name))
            throw new InvalidModelException($"'{name}' is no model name: use letters, digits, dots, dashes and underscores, not a dot first.");
        if (precisions.Contains(Precision.Int4)) throw new InvalidModelException("A graph that is no decoder is built in fp32, fp16 and int8.");
        if (options.Files.FirstOrDefault(file => !File.Exists(file)) is { } absent) throw new InvalidModelException($"{absent} does not exist.");
        target = Path.GetFullPath(target);
        BuiltFolder.CheckReplaceable(target);
        var graph = SourceGraph.Read(source);
        var disk = Path.GetDirectoryName(target) ?? throw new InvalidModelException($"{target} cannot be a model folder.");
        using var work = WorkFolder.Create(disk);
        var size = graph.Constants.Where(StoredTensor.IsRaw).Sum(tensor => StoredTensor.Bytes(tensor, source)) + new FileInfo(source).Length;
        var total = size * (precisions.Count + (precisions is [Precision.Fp32] ? 1 : ScratchFactor));
        DiskSpace.Require(disk, total);
        try
        {
            var relay = new Relay(progress, size, precisions, options.Calibration.Count);
            var variants = new TensorVariants(graph, work.Path, options, relay, cancellation);
            List<ModelVariant> written = [];
            foreach (var precision in precisions)
            {
                var variant = variants.Make(precision);
                var file = BuiltFolder.GraphFile(precision);
                var data = variant.Write(work.Done, file, progress: null, cancellation);
                RuntimeGraph.Check(Path.Combine(work.Done, file));
                var bytes = new[] { file, data }.Sum(one => one is null ? 0 : new FileInfo(Path.Combine(work.Done, one)).Length);
                written.Add(new ModelVariant(precision, file, data, bytes) { Preload = options.Preloaded.Contains(precision) });
                relay.Finished(precision);
            }

            foreach (var file in TensorCompanions.Of(source)) Copy(Path.Combine(TensorCompanions.FolderOf(source), file), work.Done, file);
            foreach (var file in options.Files) Copy(file, work.Done, Path.GetFileName(file));
            var manifest = new ModelManifest
            {
                Format = ModelManifest.CurrentFormat,
                Kind = ModelKind.Tensors,
                Name = name,
                Created = time.GetUtcNow(),
                Fingerprint = Fingerprint(graph),
                Parameters = graph.Constants.Where(StoredTensor.IsFloatingPoint).Sum(StoredTensor.Elements),
                Variants = written,
            };
            manifest.Save(Path.Combine(work.Done, ModelManifest.FileName));
            BuiltFolder.Place(work.Done, target, () => false);
            return new TensorBuild(manifest, variants.Notes);
        }
        catch (IOException fault) when (DiskSpace.IsMissing(fault))
        {
            throw DiskSpace.RanOut(disk, total, fault);
        }
    }

    /// <summary>SHA-256 over the builder's version and the contents of the graph's files, in hexadecimal.</summary>
    private static string Fingerprint(SourceGraph graph)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"r1-tensors {BuilderVersion.Current}\n"));
        foreach (var file in graph.Constants.Where(StoredTensor.IsExternal).Select(tensor => StoredTensor.FileOf(tensor, graph.Path)).Distinct()
            .Order(StringComparer.Ordinal).Prepend(graph.Path))
        {
            using var stream = File.OpenRead(file);
            hash.AppendData(SHA256.HashData(stream));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Copy(string file, string folder, string name)
    {
        var copy = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
        File.Copy(file, copy, overwrite: true);
    }

    /// <summary>Progress in bytes of the source: each variant's share of them, and as many for its calibration.</summary>
    private sealed class Relay(IProgress<BuildProgress>? progress, long size, IReadOnlyList<Precision> precisions, int runs) : IProgress<int>
    {
        private readonly long _total =
            precisions.Sum(precision => Share(precision, size)) + (runs > 0 && precisions.Contains(Precision.Int8) ? size : 0);

        private long _done;

        public void Report(int value) => progress?.Report(new BuildProgress(_done + (size * value / runs), _total));

        public void Finished(Precision precision)
        {
            _done += Share(precision, size) + (precision == Precision.Int8 && runs > 0 ? size : 0);
            progress?.Report(new BuildProgress(_done, _total));
        }

        private static long Share(Precision precision, long size) => size / precision switch
        {
            Precision.Fp32 => 1,
            Precision.Fp16 => 2,
            _ => 4,
        };
    }
}
