using System.Numerics.Tensors;

namespace R1Serverless.ModelBuilder.Calibration;

/// <summary>How far the keys and values of one layer reach, channel by channel, over all tokens that were seen.</summary>
/// <param name="heads">Of keys and values.</param>
/// <param name="headSize">Channels of one head; even.</param>
/// <param name="rotated">How many of them are rotated, the first ones: all unless named.</param>
internal sealed class KvRanges(int heads, int headSize, int? rotated = null)
{
    /// <summary>What is left for text that reaches further than the calibration's.</summary>
    private const float Headroom = 1.1f;

    private readonly float[] _keys = new float[heads * headSize], _values = new float[heads * headSize];

    /// <summary>
    /// A key is rotated with its place in the text, so what is in one channel of a pair now is in the other some tokens later: both get the length of
    /// the pair, which no rotation changes. Short texts then tell the ranges of long ones.
    /// </summary>
    /// <param name="head">Whose key it is.</param>
    /// <param name="key">Rotated; channel i is paired with channel i + half of the rotated ones.</param>
    public void AddKey(int head, ReadOnlySpan<float> key)
    {
        var (pairs, at) = (rotated ?? headSize, head * headSize);
        var half = pairs / 2;
        for (var i = 0; i < half; i++)
        {
            var length = float.Hypot(key[i], key[i + half]);
            _keys[at + i] = _keys[at + i + half] = float.Max(_keys[at + i], length);
        }

        for (var i = pairs; i < headSize; i++) _keys[at + i] = float.Max(_keys[at + i], float.Abs(key[i]));
    }

    public void AddValue(int head, ReadOnlySpan<float> value)
    {
        var known = _values.AsSpan(head * headSize, headSize);
        for (var i = 0; i < headSize; i++) known[i] = float.Max(known[i], float.Abs(value[i]));
    }

    /// <summary>Greatest magnitudes with headroom [heads × head size], or null where a number was none.</summary>
    public (float[] Keys, float[] Values)? End()
    {
        TensorPrimitives.Multiply(_keys, Headroom, _keys);
        TensorPrimitives.Multiply(_values, Headroom, _values);
        return _keys.Concat(_values).All(float.IsFinite) ? (_keys, _values) : null;
    }
}
