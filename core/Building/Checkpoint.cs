using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>A Hugging Face checkpoint folder: config.json and the weights, in one file or in shards named by an index.</summary>
internal sealed class Checkpoint : IDisposable
{
    public const string WeightsFile = "model.safetensors";
    public const string IndexFile = "model.safetensors.index.json";

    private readonly Dictionary<string, (SafeTensors File, SafeTensor Tensor)> _tensors = new(StringComparer.Ordinal);
    private readonly List<SafeTensors> _files = [];

    private Checkpoint(string folder, ModelConfig config) => (Folder, Config) = (folder, config);

    public string Folder { get; }

    public ModelConfig Config { get; }

    /// <exception cref="InvalidModelException">A file is missing, damaged or of an unsupported kind.</exception>
    public static Checkpoint Open(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new InvalidModelException($"The checkpoint folder {folder} does not exist.");
        }

        var checkpoint = new Checkpoint(folder, ModelConfig.Load(Path.Combine(folder, ModelFolder.ConfigFile)));
        try
        {
            foreach (var path in WeightFiles(folder))
            {
                var file = SafeTensors.Open(path);
                checkpoint._files.Add(file);
                foreach (var tensor in file.Tensors.Values)
                {
                    if (!checkpoint._tensors.TryAdd(tensor.Name, (file, tensor)))
                    {
                        throw new InvalidModelException($"{path}: tensor {tensor.Name} is in another shard as well.");
                    }
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
        {
            return [Path.Combine(folder, WeightsFile)];
        }

        var index = Path.Combine(folder, IndexFile);
        if (!File.Exists(index))
        {
            throw new InvalidModelException($"{folder} holds neither {WeightsFile} nor {IndexFile}.");
        }

        var json = JsonFields.Load(index);
        if (json.Find("weight_map") is not { ValueKind: JsonValueKind.Object } map)
        {
            throw json.Invalid("weight_map", "must be an object from tensor names to file names");
        }

        var names = map.EnumerateObject()
            .Select(entry => entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "").ToHashSet(StringComparer.Ordinal);
        return names.FirstOrDefault(name => name.Length == 0 || name != Path.GetFileName(name)) is null
            ? [.. names.Order(StringComparer.Ordinal).Select(name => Path.Combine(folder, name))]
            : throw json.Invalid("weight_map", "must name files beside the index");
    }

    /// <summary>A tensor that must exist with this shape.</summary>
    /// <exception cref="InvalidModelException">It is missing or shaped otherwise.</exception>
    public CheckpointTensor Tensor(string name, params ReadOnlySpan<long> shape)
    {
        if (!_tensors.TryGetValue(name, out var found))
        {
            throw new InvalidModelException($"{Folder}: tensor {name} is missing from the weights.");
        }

        return found.Tensor.Shape.SequenceEqual(shape.ToArray())
            ? new CheckpointTensor(found.File, found.Tensor)
            : throw new InvalidModelException(
                $"{Folder}: tensor {name} has the shape [{string.Join(", ", found.Tensor.Shape)}], but config.json asks for [{string.Join(", ", shape.ToArray())}].");
    }

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }
}

/// <summary>A tensor, or some of its rows, and the file that holds it.</summary>
internal readonly record struct CheckpointTensor(SafeTensors File, SafeTensor Tensor)
{
    private long FirstRow { get; init; }

    private long? RowCount { get; init; }

    public IReadOnlyList<long> Shape => RowCount is { } rows ? [rows, .. Tensor.Shape.Skip(1)] : Tensor.Shape;

    /// <summary>A part of a tensor with two dimensions.</summary>
    public CheckpointTensor Rows(long first, long count) => this with { FirstRow = FirstRow + first, RowCount = count };

    /// <param name="first">An element of this part.</param>
    /// <param name="destination">Gets as many elements as it has room for.</param>
    public void Read(long first, Span<float> destination) => File.Read(Tensor, (FirstRow * Tensor.Shape[^1]) + first, destination);
}
