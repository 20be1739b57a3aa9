using System.Runtime.InteropServices;
using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>A Hugging Face checkpoint folder: config.json and the weights, in one file or in shards named by an index.</summary>
internal sealed class Checkpoint : IDisposable
{
    public const string WeightsFile = "model.safetensors";
    public const string IndexFile = "model.safetensors.index.json";

    /// <summary>More is a mask or another buffer, which only looks like a bias.</summary>
    private const int MaxBias = 1 << 20;

    private static readonly string[] Buffers = ["rotary_emb.inv_freq", ".masked_bias"];

    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (SafeTensors File, SafeTensor Tensor)> _tensors = new(StringComparer.Ordinal);
    private readonly List<SafeTensors> _files = [];
    private readonly Dictionary<string, BlockScales> _scales = new(StringComparer.Ordinal);
    private bool? _isHeadTied;

    private Checkpoint(string folder, ModelConfig config) => (Folder, Config) = (folder, config);

    public string Folder { get; }

    public ModelConfig Config { get; }

    /// <exception cref="InvalidModelException">A file is missing, damaged or of an unsupported kind.</exception>
    public static Checkpoint Open(string folder)
    {
        if (!Directory.Exists(folder))
            throw new InvalidModelException($"The checkpoint folder {folder} does not exist.");

        var checkpoint = new Checkpoint(folder, ModelConfig.Load(Path.Combine(folder, ModelFiles.ConfigFile)));
        try
        {
            foreach (var path in WeightFiles(folder))
            {
                var file = SafeTensors.Open(path);
                checkpoint._files.Add(file);
                foreach (var tensor in file.Tensors.Values)
                {
                    if (!checkpoint._tensors.TryAdd(tensor.Name, (file, tensor)))
                        throw new InvalidModelException($"{path}: tensor {tensor.Name} is in another shard as well.");
                }
            }

            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The paths of the weight files, in a fixed order.</summary>
    public static IReadOnlyList<string> WeightFiles(string folder)
    {
        if (File.Exists(Path.Combine(folder, WeightsFile)))
            return [Path.Combine(folder, WeightsFile)];

        var index = Path.Combine(folder, IndexFile);
        if (!File.Exists(index))
            throw new InvalidModelException($"{folder} holds neither {WeightsFile} nor {IndexFile}.");

        var json = JsonFields.Load(index);
        if (json.Find("weight_map") is not { ValueKind: JsonValueKind.Object } map)
            throw json.Invalid("weight_map", "must be an object from tensor names to file names");

        var names = map.EnumerateObject()
            .Select(entry => entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "").ToHashSet(StringComparer.Ordinal);
        return names.FirstOrDefault(name => name.Length == 0 || name != Path.GetFileName(name)) is null
            ? [.. names.Order(StringComparer.Ordinal).Select(name => Path.Combine(folder, name))]
            : throw json.Invalid("weight_map", "must name files beside the index");
    }

    /// <summary>The embedding's own tensor is the head as well, unless a tied model brings another.</summary>
    public bool IsHeadTied => _isHeadTied ??= Config.TiedEmbeddings && !HasOtherHead();

    /// <summary>A weight that must exist with this shape.</summary>
    /// <exception cref="InvalidModelException">It is missing, shaped otherwise or of a type that no weight has.</exception>
    public CheckpointTensor Tensor(string name, params ReadOnlySpan<long> shape)
    {
        var (file, tensor) = Find(name, shape);
        if (tensor.Type is SafeTensorType.F32 or SafeTensorType.F16 or SafeTensorType.BF16) return new CheckpointTensor(file, tensor);
        if (tensor.Type != SafeTensorType.F8E4M3 || shape.Length != 2 || Config.WeightBlock is not { } block) throw file.NoWeight(tensor);
        if (!_scales.TryGetValue(name, out var scales))
        {
            var values = Tensor($"{name}_scale_inv", Blocks(shape[0], block.Rows), Blocks(shape[1], block.Columns));
            _scales[name] = scales = new BlockScales(values, block);
        }

        return new CheckpointTensor(file, tensor) { Scales = scales };
    }

    /// <summary>What no graph has asked for is left out, if that changes nothing.</summary>
    /// <exception cref="InvalidModelException">It would change what the model says.</exception>
    public void RefuseUnused()
    {
        foreach (var (name, (file, tensor)) in _tensors.Where(one => !_used.Contains(one.Key)))
        {
            // Buffers that authors' code makes anew from the configuration, and masks.
            var isBuffer = !tensor.Type.IsFloat() || Buffers.Any(buffer => name.EndsWith(buffer, StringComparison.Ordinal));
            if (isBuffer || IsZeroBias(file, tensor)) continue;
            throw new InvalidModelException(
                $"{Folder}: tensor {name} has no place in a {Config.Architecture} decoder of {Config.Layers} layers, but would change its results.");
        }
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private static long Blocks(long size, int block) => (size + block - 1) / block;

    private static bool IsZeroBias(SafeTensors file, SafeTensor tensor)
    {
        if (!tensor.Name.EndsWith(".bias", StringComparison.Ordinal) || tensor.Elements > MaxBias
            || tensor.Type is SafeTensorType.F64 or SafeTensorType.F8E5M2)
            return false;
        var values = new float[tensor.Elements];
        file.Read(tensor, 0, values);
        return Array.TrueForAll(values, value => value == 0);
    }

    private (SafeTensors File, SafeTensor Tensor) Find(string name, ReadOnlySpan<long> shape)
    {
        if (!_tensors.TryGetValue(name, out var found))
            throw new InvalidModelException($"{Folder}: tensor {name} is missing from the weights.");

        _used.Add(name);
        return found.Tensor.Shape.SequenceEqual(shape.ToArray())
            ? found
            : throw new InvalidModelException(
                $"{Folder}: tensor {name} has the shape [{string.Join(", ", found.Tensor.Shape)}], but config.json asks for "
                + $"[{string.Join(", ", shape.ToArray())}].");
    }

    private bool HasOtherHead()
    {
        if (!_tensors.ContainsKey(TensorNames.Head)) return false;
        var head = Tensor(TensorNames.Head, Config.VocabularySize, Config.HiddenSize);
        var embedding = Tensor(TensorNames.Embedding, Config.VocabularySize, Config.HiddenSize);
        float[] one = new float[Config.HiddenSize], other = new float[Config.HiddenSize];
        for (var row = 0L; row < Config.VocabularySize; row++)
        {
            head.Read(row * one.Length, one);
            embedding.Read(row * one.Length, other);
            if (!MemoryMarshal.AsBytes(one.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(other.AsSpan()))) return true;
        }

        return false;
    }
}
