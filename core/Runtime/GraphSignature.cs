using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace R1Serverless.Runtime;

/// <summary>Names, types and shapes of a decoder graph, as the session tells them: nothing is assumed.</summary>
internal sealed record GraphSignature
{
    public const string InputIds = "input_ids";
    public const string AttentionMask = "attention_mask";
    public const string Logits = "logits";

    /// <summary>past_key_values.N.key and .value, layer by layer; <see cref="KvOutputs"/> are their present.N twins.</summary>
    public required IReadOnlyList<string> KvInputs { get; init; }

    public required IReadOnlyList<string> KvOutputs { get; init; }

    public required TensorElementType KvType { get; init; }

    public required int KvHeads { get; init; }

    public required int HeadSize { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Whether logits are [batch, 1, vocabulary], of each row's last token only, instead of [batch, sequence, vocabulary].</summary>
    public required bool LastTokenOnly { get; init; }

    public int KvElementBytes => KvType == TensorElementType.Float16 ? 2 : 4;

    public long KvBytesPerToken => (long)KvInputs.Count * KvHeads * HeadSize * KvElementBytes;

    /// <exception cref="ModelLoadException">The graph is no decoder that can be served; the message says why.</exception>
    public static GraphSignature Read(InferenceSession session)
    {
        var inputs = session.InputMetadata;
        foreach (var required in new[] { InputIds, AttentionMask })
        {
            if (!inputs.ContainsKey(required)) throw new ModelLoadException($"the graph has no input '{required}'");
        }

        var keys = new List<string>();
        for (var layer = 0; inputs.ContainsKey($"past_key_values.{layer}.key"); layer++) keys.Add(layer.ToString(CultureInfo.InvariantCulture));
        if (keys.Count == 0) throw new ModelLoadException("the graph has no KV cache (past_key_values.0.key); `r1 model build` makes one that has");
        var unknown = inputs.Keys.FirstOrDefault(k => k is not (InputIds or AttentionMask) && !k.StartsWith("past_key_values.", StringComparison.Ordinal));
        if (unknown is not null) throw new ModelLoadException($"the graph wants an input that is not known: '{unknown}'");

        var past = inputs["past_key_values.0.key"];
        if (past.ElementDataType != TensorElementType.Float) throw new ModelLoadException($"keys and values of type {past.ElementDataType} are not supported yet");
        if (!session.OutputMetadata.TryGetValue(Logits, out var logits)) throw new ModelLoadException($"the graph has no output '{Logits}'");
        if (logits.ElementDataType != TensorElementType.Float) throw new ModelLoadException($"logits of type {logits.ElementDataType} are not supported yet");
        return new GraphSignature
        {
            KvInputs = [.. keys.SelectMany(k => new[] { $"past_key_values.{k}.key", $"past_key_values.{k}.value" })],
            KvOutputs = [.. keys.SelectMany(k => new[] { $"present.{k}.key", $"present.{k}.value" })],
            KvType = past.ElementDataType,
            KvHeads = past.Dimensions[1],
            HeadSize = past.Dimensions[3],
            VocabularySize = logits.Dimensions[2],
            LastTokenOnly = logits.Dimensions[1] == 1,
        };
    }
}
