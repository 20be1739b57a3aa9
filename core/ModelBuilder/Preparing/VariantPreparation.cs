using System.Security.Cryptography;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Probes;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Layouts;

namespace R1Serverless.ModelBuilder.Preparing;

/// <summary>What preparing a variant gave.</summary>
/// <param name="Path">The folder that has it.</param>
/// <param name="Bytes">On the disk.</param>
/// <param name="HasPlaceholders">Whether plain forms of large weights could be given up; else they are there beside the packed ones.</param>
/// <param name="IsKept">Whether it was there before, and in order: servers may be using it.</param>
public sealed record PreparedVariant(string Path, long Bytes, bool HasPlaceholders, bool IsKept = false);

/// <summary>
/// Writes a variant's graph as this machine's ONNX Runtime would make it at each load: optimised, with packed weights in one file that is mapped into
/// memory.
/// What is written must give the plain model's answers, bit for bit, before it gets its name.
/// </summary>
public static class VariantPreparation
{
    /// <summary>Room for the plain and packed forms twice, while they are compared, in the variant's size.</summary>
    private const int RoomFactor = 6;

    /// <exception cref="ModelLoadException">ONNX Runtime can't load or write it, or what it wrote gives other answers.</exception>
    /// <exception cref="IOException">The disk is full, or a file can't be written.</exception>
    public static PreparedVariant Prepare(ModelFolder folder, ModelVariant variant, RuntimeOptions options, CancellationToken cancellation)
    {
        // As they run when they are served.
        options = IsDecoder(folder) ? options with { Threads = Math.Min(options.EffectiveThreads, folder.Config.Heads) }
            : TensorRuntime.Of(folder, variant, options) with { Threads = 1 };
        if (ExecutionProvider.Preferred(options) is var device && !PreparedFolder.Serves(device))
            throw new ModelLoadException(
                $"weights are packed on the CPU only, and models would run on {device.Description}: nothing to prepare; --device cpu prepares for "
                + "the CPU");
        if (Kept(folder, variant, options) is { } kept) return kept;
        var root = Path.Combine(folder.Path, PreparedFolder.Name);
        using var work = WorkFolder.Create(root);
        if (new DriveInfo(root).AvailableFreeSpace is var free && free < RoomFactor * variant.Bytes)
            throw new IOException(
                $"Preparing needs {(RoomFactor * variant.Bytes / 1_000_000) + 1} MB for a while, but {root} has only {free / 1_000_000} MB free.");
        return Prepare(folder, variant, options, work, cancellation);
    }

    /// <summary>What is prepared already, if a server would use it; one whose answers are wrong looks right until it is run.</summary>
    private static PreparedVariant? Kept(ModelFolder folder, ModelVariant variant, RuntimeOptions options)
    {
        var state = PreparedFolder.Detect(folder, variant, options);
        if (state.Path is null) return null;
        using IDisposable? found = IsDecoder(folder) ? VariantRunner.FindPrepared(folder, variant, options, out _)
            : PreparedSession.Find(folder, variant, options, (session, _) => session,
                session => MadeUpAnswers.Of(session, GraphOf(folder, variant)), out _);
        return found is null ? null : new PreparedVariant(state.Path, state.Manifest!.Bytes, state.Manifest.Hole is not null, IsKept: true);
    }

    private static PreparedVariant Prepare(ModelFolder folder, ModelVariant variant, RuntimeOptions options, WorkFolder own,
        CancellationToken cancellation)
    {
        var (work, done) = (own.Path, own.Done);
        var key = PreparedFolder.KeyOf(folder, variant, options);
        var expected = Answers(OrtSession.Open(folder.GraphPath(variant), options), folder, variant);
        cancellation.ThrowIfCancellationRequested();
        string packed = Path.Combine(work, "packed.onnx"), data = Path.Combine(work, "packed.bin");
        OrtSession.Save(folder.GraphPath(variant), packed, Path.GetFileName(data), isOptimised: false, options);
        cancellation.ThrowIfCancellationRequested();
        // ONNX Runtime writes none where all constants are small.
        if (!File.Exists(data)) File.Create(data).Dispose();
        var source = PackedGraph.Read(packed, data);
        var hasPlaceholders = TryWriteWithPlaceholders(source, done, work, options, cancellation)
            && IsSame(expected, done, source.Hole, folder, variant, options);
        if (!hasPlaceholders)
        {
            source.WriteWhole(Path.Combine(done, PreparedManifest.GraphFile), Path.Combine(done, PreparedManifest.WeightsFile));
            if (!IsSame(expected, done, null, folder, variant, options))
                throw new ModelLoadException(
                    $"what ONNX Runtime prepared of '{folder.GraphPath(variant)}' gives other answers; the plain model stays in use");
        }

        cancellation.ThrowIfCancellationRequested();
        var hole = hasPlaceholders ? source.Hole : null;
        return Finish(folder, variant, key, GoldenAnswers.Sample(expected), done, hole, HasExactPrefixes(done, hole, folder, options));
    }

    /// <summary>Null for what is no decoder.</summary>
    private static bool? HasExactPrefixes(string done, PreparedHole? hole, ModelFolder folder, RuntimeOptions options)
    {
        if (!IsDecoder(folder)) return null;
        using var runner = VariantRunner.Own(PreparedSession.Open(Path.Combine(done, PreparedManifest.GraphFile), hole, options), folder);
        return PrefixExactness.Holds(runner, folder.Config.ContextLength);
    }

    private static bool TryWriteWithPlaceholders(PackedGraph graph, string done, string work, RuntimeOptions options, CancellationToken cancellation)
    {
        if (!graph.HasPlaceholders) return false;
        string placeholders = Path.Combine(work, "placeholders.onnx"), keys = Path.Combine(work, "keys.onnx"), keyed = Path.Combine(work, "keys.bin");
        graph.WriteWithPlaceholders(placeholders, Path.Combine(work, "placeholders.bin"));
        OrtSession.Save(placeholders, keys, Path.GetFileName(keyed), isOptimised: true, options);
        cancellation.ThrowIfCancellationRequested();
        try
        {
            graph.WriteMerged(keys, Path.Combine(done, PreparedManifest.GraphFile), Path.Combine(done, PreparedManifest.WeightsFile));
            return true;
        }
        catch (InvalidDataException)
        {
            // Kernels that pack in another way: their weights stay plain and packed.
            return false;
        }
        finally
        {
            File.Delete(keyed);
        }
    }

    private static bool IsDecoder(ModelFolder folder) => folder.Manifest.Kind == ModelKind.Decoder;

    private static TensorGraph GraphOf(ModelFolder folder, ModelVariant variant) => TensorGraph.Read(folder.GraphPath(variant));

    /// <summary>What a session of the variant's graph answers to known inputs. Disposes it.</summary>
    private static float[] Answers(OrtSession session, ModelFolder folder, ModelVariant variant)
    {
        if (!IsDecoder(folder))
        {
            using (session) return MadeUpAnswers.Of(session, GraphOf(folder, variant));
        }

        using var runner = VariantRunner.Own(session, folder);
        return GoldenAnswers.Run(runner, folder.Config.ContextLength);
    }

    private static bool IsSame(float[] expected, string done, PreparedHole? hole, ModelFolder folder, ModelVariant variant,
        RuntimeOptions options) =>
        Answers(PreparedSession.Open(Path.Combine(done, PreparedManifest.GraphFile), hole, options), folder, variant).AsSpan()
            .SequenceEqual(expected);

    private static PreparedVariant Finish(ModelFolder folder, ModelVariant variant, PreparedKey key, float[] goldenAnswers, string done,
        PreparedHole? hole, bool? hasExactPrefixes)
    {
        string graph = Path.Combine(done, PreparedManifest.GraphFile), weights = Path.Combine(done, PreparedManifest.WeightsFile);
        if (!File.Exists(weights)) File.Create(weights).Dispose();
        var length = new FileInfo(weights).Length;
        var bytes = new FileInfo(graph).Length + length - (hole?.Bytes ?? 0);
        new PreparedManifest
        {
            Key = key, Graph = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(graph))), WeightBytes = length, Bytes = bytes, Hole = hole,
            GoldenAnswers = goldenAnswers, HasExactPrefixes = hasExactPrefixes,
        }.Save(Path.Combine(done, PreparedManifest.FileName));
        var target = PreparedFolder.PathOf(folder, variant, key);
        // One name for another: a start must not find half of it, or nothing for as long as deleting takes.
        if (Directory.Exists(target)) WorkFolder.SetAside(target);
        Directory.Move(done, target);
        // What this machine can't use any more goes; what was prepared for other processors may be in use there.
        foreach (var (path, manifest) in PreparedFolder.All(folder, variant))
            if (path != target && manifest.Key.Processor == key.Processor) TrySetAside(path);

        WorkFolder.RemoveAbandoned(Path.GetDirectoryName(target)!);
        return new PreparedVariant(target, bytes, hole is not null);
    }

    private static void TrySetAside(string path)
    {
        try
        {
            WorkFolder.SetAside(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Windows renames nothing of which a file is in use.
        }
    }
}
