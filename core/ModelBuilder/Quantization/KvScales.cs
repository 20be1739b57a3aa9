using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>
/// The steps of 8-bit keys and values, one for each layer, head and channel: a number x is kept as round(x / step), from -128 to 127. Zeros until
/// they are calibrated:
/// a graph may be put together before that, but not written.
/// </summary>
internal sealed class KvScales(ModelConfig config)
{
    private const int LargestKept = 127;

    /// <summary>Of the range of the layer's widest channel: one that was silent in the calibration may not be so later.</summary>
    private const float MinShare = 1 / 400f;

    private const float MinRange = 1e-10f;

    private readonly float[][] _keys = Empty(config), _values = Empty(config);

    /// <summary>The layer's step for keys, as GroupQueryAttention wants it: float32 [1, heads, 1, head size].</summary>
    public Initializer Keys(int layer) => Constant($"past_key_values.{layer}.key_scale", _keys[layer]);

    public Initializer Values(int layer) => Constant($"past_key_values.{layer}.value_scale", _values[layer]);

    /// <summary>Takes the greatest magnitudes that a layer's channels shall be able to hold.</summary>
    public void Set(int layer, float[] keys, float[] values)
    {
        Fill(_keys[layer], keys);
        Fill(_values[layer], values);
    }

    private static void Fill(float[] steps, float[] ranges)
    {
        var least = Math.Max(ranges.Max() * MinShare, MinRange);
        for (var i = 0; i < steps.Length; i++) steps[i] = Math.Max(ranges[i], least) / LargestKept;
    }

    private static float[][] Empty(ModelConfig config) =>
        [.. Enumerable.Range(0, config.Layers).Select(_ => new float[config.KeyValueHeads * config.HeadSize])];

    private ComputedInitializer<float> Constant(string name, float[] steps) =>
        new(name, DataType.Float, steps, 1, config.KeyValueHeads, 1, config.HeadSize);
}
