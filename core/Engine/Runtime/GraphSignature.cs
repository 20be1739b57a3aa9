using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;

namespace R1Serverless.Engine.Runtime;

/// <summary>An input of whole numbers: int64 or int32.</summary>
public sealed record GraphInput(string Name, TensorElementType Type);

/// <summary>Names, types and shapes of a decoder graph, as the session tells them: nothing is assumed.</summary>
public sealed record GraphSignature
{
    /// <summary>What ModelBuilder's graphs call their producer.</summary>
    private const string OwnProducer = "r1serverless";

    /// <summary>[batch, sequence].</summary>
    public required GraphInput InputIds { get; init; }

    /// <summary>[batch, past and new tokens].</summary>
    public required GraphInput AttentionMask { get; init; }

    /// <summary>[batch, sequence]; null where the graph counts for itself.</summary>
    public required GraphInput? PositionIds { get; init; }

    /// <summary>Keys and values, layer by layer; <see cref="KvOutputs"/> are their present twins.</summary>
    public required IReadOnlyList<string> KvInputs { get; init; }

    public required IReadOnlyList<string> KvOutputs { get; init; }

    public required TensorElementType KvType { get; init; }

    public required int KvHeads { get; init; }

    /// <summary>Elements per head as the graph stores them: half the head's size where two 4-bit numbers share a byte.</summary>
    public required int HeadSize { get; init; }

    public required string Logits { get; init; }

    /// <summary>float or float16.</summary>
    public required TensorElementType LogitsType { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Whether logits are [batch, 1, vocabulary], of each row's last token only, instead of [batch, sequence, vocabulary].</summary>
    public required bool LastTokenOnly { get; init; }

    /// <summary>Whether that token is known to be the last real one of a padded row. Other builders' graphs may take the last column.</summary>
    public required bool LastTokenIsReal { get; init; }

    public int KvElementBytes => ElementBytes(KvType)!.Value;

    public long KvBytesPerToken => (long)KvInputs.Count * KvHeads * HeadSize * KvElementBytes;

    /// <exception cref="ModelLoadException">The graph is no decoder that can be served; the message says why.</exception>
    public static GraphSignature Read(InferenceSession session, GraphNames names)
    {
        var layers = Layers(session, names);
        var past = session.InputMetadata[layers[0].Past];
        if (past.Dimensions is not [_, > 0, _, > 0])
            throw new ModelLoadException(
                $"'{layers[0].Past}' should be [batch, heads, length, head size] with heads and size fixed, but is {Shape(past)}");
        if (ElementBytes(past.ElementDataType) is null)
            throw new ModelLoadException($"keys and values of type {past.ElementDataType} are not supported");
        foreach (var (name, _) in layers)
        {
            var other = session.InputMetadata[name];
            if (other.ElementDataType != past.ElementDataType || !other.Dimensions.SequenceEqual(past.Dimensions))
                throw new ModelLoadException(
                    $"'{name}' is {other.ElementDataType} {Shape(other)}, but '{layers[0].Past}' is {past.ElementDataType} {Shape(past)}: layers "
                    + "that differ are not supported");
        }

        var logits = Output(session, names.Logits);
        if (logits.ElementDataType is not (TensorElementType.Float or TensorElementType.Float16))
            throw new ModelLoadException($"logits of type {logits.ElementDataType} are not supported; float and float16 are");
        if (logits.Dimensions is not [_, _, > 0])
            throw new ModelLoadException(
                $"'{names.Logits}' should be [batch, sequence, vocabulary] with the vocabulary fixed, but is {Shape(logits)}");
        return new GraphSignature
        {
            InputIds = Integers(session, names.InputIds),
            AttentionMask = Integers(session, names.AttentionMask),
            PositionIds = session.InputMetadata.ContainsKey(names.PositionIds) ? Integers(session, names.PositionIds) : null,
            KvInputs = [.. layers.Select(l => l.Past)],
            KvOutputs = [.. layers.Select(l => l.Present)],
            KvType = past.ElementDataType,
            KvHeads = past.Dimensions[1],
            HeadSize = past.Dimensions[3],
            Logits = names.Logits,
            LogitsType = logits.ElementDataType,
            VocabularySize = logits.Dimensions[2],
            LastTokenOnly = logits.Dimensions[1] == 1,
            LastTokenIsReal = session.ModelMetadata.ProducerName == OwnProducer,
        };
    }

    private static List<(string Past, string Present)> Layers(InferenceSession session, GraphNames names)
    {
        var inputs = session.InputMetadata;
        List<(string Past, string Present)> layers = [];
        for (var layer = 0; names.Layer(layer) is var pair && inputs.ContainsKey(pair[0].Past); layer++)
        {
            if (!inputs.ContainsKey(pair[1].Past)) throw new ModelLoadException($"the graph has an input '{pair[0].Past}', but no '{pair[1].Past}'");
            layers.AddRange(pair);
        }

        if (layers.Count == 0)
            throw new ModelLoadException(
                $"the graph has no KV cache (no input '{names.Layer(0)[0].Past}'); `r1 model build <checkpoint>` makes one that has");
        HashSet<string> known = [names.InputIds, names.AttentionMask, names.PositionIds, .. layers.Select(l => l.Past)];
        if (inputs.Keys.Where(k => !known.Contains(k)).ToList() is { Count: > 0 } unknown)
            throw new ModelLoadException(
                $"the graph wants inputs that are not known: {string.Join(", ", unknown)}; `r1 model build <checkpoint>` makes a graph without them");
        foreach (var (_, present) in layers) Output(session, present);
        return layers;
    }

    private static GraphInput Integers(InferenceSession session, string name)
    {
        if (!session.InputMetadata.TryGetValue(name, out var input)) throw new ModelLoadException($"the graph has no input '{name}'");
        return input.ElementDataType is TensorElementType.Int64 or TensorElementType.Int32 && input.Dimensions.Length == 2
            ? new GraphInput(name, input.ElementDataType)
            : throw new ModelLoadException($"'{name}' should be int64 or int32 with two dimensions, but is {input.ElementDataType} {Shape(input)}");
    }

    private static NodeMetadata Output(InferenceSession session, string name) =>
        session.OutputMetadata.TryGetValue(name, out var output) ? output : throw new ModelLoadException($"the graph has no output '{name}'");

    private static string Shape(NodeMetadata node) =>
        $"[{string.Join(", ", node.Dimensions.Zip(node.SymbolicDimensions, (size, name) => size >= 0 ? $"{size}" : name is "" ? "?" : name))}]";

    private static int? ElementBytes(TensorElementType type) => type switch
    {
        TensorElementType.Float => 4,
        TensorElementType.Float16 or TensorElementType.BFloat16 => 2,
        TensorElementType.Int8 or TensorElementType.UInt8 => 1,
        _ => null,
    };
}
