using System.Security.Cryptography;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Calibration;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Decoders;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Quantization;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Text;
using R1Serverless.Models.Tokenization;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelBuilder;

/// <summary>How far a build is: bytes of all finished graphs.</summary>
public readonly record struct BuildProgress(long WrittenBytes, long TotalBytes);

/// <summary>Builds a Hugging Face checkpoint (safetensors of a family in <see cref="Models.Families.DecoderFamilies"/>) into a model
/// folder.</summary>
public static class CheckpointBuilder
{
    private static readonly string[] CopiedFiles =
    [
        ModelFiles.ConfigFile, ModelFiles.GenerationFile, ModelFiles.TokenizerFile, ModelFiles.SentencePieceFile, ModelFiles.TokenizerConfigFile,
        ModelFiles.ChatTemplateFile, ModelFiles.ChatTemplateJsonFile, ModelFiles.EvaluationFile,
    ];

    /// <summary>Builds into a folder beside <paramref name="target"/> and renames it at the end: the target is the old model or the whole new
    /// one.</summary>
    /// <param name="checkpoint">A folder with config.json, tokenizer.json and safetensors.</param>
    /// <param name="target">The folder to make; a model that stands there is replaced.</param>
    /// <param name="name">The model's name in the manifest.</param>
    /// <param name="time">Dates the manifest.</param>
    /// <param name="precisions">The variants to make; none named, FP32.</param>
    /// <param name="progress">Reported on the calling thread, often.</param>
    /// <param name="cancellation">Stops the build and removes what it has written.</param>
    /// <param name="kv">How all the variants keep keys and values. For 8 bits the model is run for a while, to see how far they reach.</param>
    /// <param name="preloaded">Those of them that servers load at their start.</param>
    /// <exception cref="InvalidModelException">The checkpoint is damaged or not supported, or the target is no model folder.</exception>
    /// <exception cref="IOException">A file can't be read or written; where the disk is full, the message says what is needed.</exception>
    public static ModelFolder Build(
        string checkpoint, string target, string name, TimeProvider time, IReadOnlyCollection<Precision>? precisions = null,
        IProgress<BuildProgress>? progress = null, CancellationToken cancellation = default, KvFormat kv = KvFormat.Auto,
        IReadOnlyList<Precision>? preloaded = null) =>
        Build(checkpoint, target, name, time, precisions, layout: null, progress, cancellation, kv, preloaded ?? []);

    /// <summary>The same, with another layout for what is quantised.</summary>
    internal static ModelFolder Build(
        string checkpoint, string target, string name, TimeProvider time, IReadOnlyCollection<Precision>? precisions, QuantizedLayout? layout,
        IProgress<BuildProgress>? progress, CancellationToken cancellation, KvFormat kv, IReadOnlyList<Precision> preloaded)
    {
        precisions = precisions is { Count: > 0 } ? [.. precisions.Distinct().Order()] : [Precision.Fp32];
        if (!ModelName.IsValid(name))
            throw new InvalidModelException($"'{name}' is no model name: use letters, digits, dots, dashes and underscores, not a dot first.");

        var began = time.GetUtcNow();
        using var source = Checkpoint.Open(checkpoint);
        var tokenizer = Path.Combine(checkpoint, ModelFiles.Tokenizer(checkpoint));
        if (!File.Exists(tokenizer))
            throw new InvalidModelException($"{checkpoint} holds no {ModelFiles.TokenizerFile} and no {ModelFiles.SentencePieceFile}.");

        // What can't be read exactly is refused before anything is written.
        HuggingFaceTokenizer.Load(tokenizer);
        ChatTemplate.Check(checkpoint);
        var generation = GenerationDefaults.Load(checkpoint);
        if (generation.EndTokens.FirstOrDefault(id => id >= source.Config.VocabularySize) is > 0 and var beyond)
            throw new InvalidModelException(
                $"{checkpoint}: eos_token_id is {beyond}, but the model has only {source.Config.VocabularySize} tokens: it would never stop there.");
        var calibration = kv == KvFormat.Int8 ? new KvCalibration(source, precisions, layout) : null;
        var graphs = precisions
            .Select(p => (Precision: p,
            Graph: DecoderGraph.Build(source, new DecoderGraphOptions { Precision = p, Layout = layout, Kv = calibration?.Scales }))).ToList();
        target = Path.GetFullPath(target);
        BuiltFolder.CheckReplaceable(target);
        WeightRange.Check(graphs.SelectMany(graph => graph.Graph.Initializers).SelectMany(initializer => initializer.Sources).Distinct(),
            precisions.Contains(Precision.Fp16), cancellation);
        var disk = Path.GetDirectoryName(target) ?? throw new InvalidModelException($"{target} cannot be a model folder.");
        using var work = WorkFolder.Create(disk);
        var done = work.Done;
        var first = calibration?.Bytes ?? 0;
        var total = first + graphs.Sum(g => g.Graph.Bytes);
        DiskSpace.Require(disk, total);
        List<ModelVariant> variants = [];
        ModelManifest manifest;
        try
        {
            calibration?.Run(done, new Relay(progress, 0, total), cancellation);
            foreach (var (precision, graph) in graphs)
            {
                var before = first + graphs.TakeWhile(g => g.Precision < precision).Sum(g => g.Graph.Bytes);
                var graphFile = BuiltFolder.GraphFile(precision);
                var data = OnnxWriter.Write(graph, done, graphFile, BuilderVersion.Current, new Relay(progress, before, total), cancellation);
                var bytes = new[] { graphFile, data }.Sum(file => file is null ? 0 : new FileInfo(Path.Combine(done, file)).Length);
                variants.Add(new ModelVariant(precision, graphFile, data, bytes) { Kv = kv, Preload = preloaded.Contains(precision) });
            }

            foreach (var file in CopiedFiles.Where(file => File.Exists(Path.Combine(checkpoint, file))))
                File.Copy(Path.Combine(checkpoint, file), Path.Combine(done, file));

            GenaiConfig.Write(Path.Combine(done, GenaiConfig.FileName), source.Config, generation, variants[0].File);
            manifest = new ModelManifest
            {
                Format = ModelManifest.CurrentFormat,
                Name = name,
                Created = time.GetUtcNow(),
                Fingerprint = Fingerprint(checkpoint),
                Parameters = graphs[0].Graph.Parameters,
                Variants = variants,
            };
            manifest.Save(Path.Combine(done, ModelManifest.FileName));
        }
        catch (IOException fault) when (DiskSpace.IsMissing(fault))
        {
            throw DiskSpace.RanOut(disk, total, fault);
        }

        BuiltFolder.Place(done, target, () => FindIntact(target) is { Manifest: var other }
            && (other.Name, other.Fingerprint) == (manifest.Name, manifest.Fingerprint) && Has(other, precisions)
            && other.Variants.All(one => one.Kv == kv && one.Preload == preloaded.Contains(one.Precision)) && other.Created >= began);
        return ModelFolder.Open(target);
    }

    /// <summary>The repository's model of this name, built from the checkpoint unless it is there, from these very files, with the variants asked for
    /// (all, where none are named) at least. One that keeps keys and values in 8 bits goes on doing so, unless told.</summary>
    /// <exception cref="InvalidModelException">The checkpoint is damaged or not supported.</exception>
    public static ModelFolder EnsureBuilt(
        this ModelRepository repository, string checkpoint, string name, TimeProvider time, IReadOnlyCollection<Precision>? precisions = null,
        IProgress<BuildProgress>? progress = null, CancellationToken cancellation = default, KvFormat? kv = null)
    {
        precisions ??= ShippedModels.Precisions;
        var target = repository.FolderOf(name);
        var built = FindIntact(target);
        return built is not null && built.Manifest.Fingerprint == Fingerprint(checkpoint) && Has(built.Manifest, precisions)
            && (kv ?? built.Manifest.Variants[0].Kv) == built.Manifest.Variants[0].Kv
            ? built
            : Build(checkpoint, target, name, time, precisions, progress, cancellation, kv ?? built?.Manifest.Variants[0].Kv ?? KvFormat.Auto);
    }

    /// <summary>SHA-256 over the builder's version and the names and contents of the checkpoint's files, in hexadecimal.</summary>
    public static string Fingerprint(string checkpoint)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"r1-model {BuilderVersion.Current}\n"));
        var paths = CopiedFiles.Select(file => Path.Combine(checkpoint, file)).Where(File.Exists).Concat(Checkpoint.WeightFiles(checkpoint));
        foreach (var path in paths)
        {
            using var stream = File.OpenRead(path);
            hash.AppendData(Encoding.UTF8.GetBytes($"{Path.GetFileName(path)}\n"));
            hash.AppendData(SHA256.HashData(stream));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static bool Has(ModelManifest manifest, IEnumerable<Precision> precisions) =>
        precisions.All(precision => manifest.Variants.Any(variant => variant.Precision == precision));

    /// <summary>A damaged model is built again, so it counts as absent.</summary>
    private static ModelFolder? FindIntact(string path)
    {
        try
        {
            return ModelFolder.Open(path);
        }
        catch (InvalidModelException)
        {
            return null;
        }
    }

    private sealed class Relay(IProgress<BuildProgress>? progress, long before, long total) : IProgress<long>
    {
        public void Report(long value) => progress?.Report(new BuildProgress(before + value, total));
    }
}
