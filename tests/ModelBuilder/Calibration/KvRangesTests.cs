using CsCheck;
using R1Serverless.ModelBuilder.Calibration;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Quantization;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder.Calibration;

public sealed class KvRangesTests
{
    private const int Heads = 2, HeadSize = 8;

    [Fact]
    public void A_key_reaches_as_far_wherever_it_stands_in_the_text()
    {
        Gen.Select(Gen.Float[-100, 100].Array[HeadSize], Gen.Double[0, 2 * Math.PI].Array[HeadSize / 2]).Sample((key, angles) =>
        {
            float[] here = Keys(key), there = Keys(Rotated(key, angles));
            for (var i = 0; i < here.Length; i++) Assert.Equal(here[i], there[i], 1e-3f);
        });
    }

    [Fact]
    public void No_key_or_value_that_was_seen_is_cut_off()
    {
        Gen.Select(Gen.Float[-5, 5].Array[HeadSize].Array[1, 6], Gen.Int[0, Heads - 1]).Sample((tokens, head) =>
        {
            var ranges = new KvRanges(Heads, HeadSize);
            foreach (var token in tokens)
            {
                ranges.AddKey(head, token);
                ranges.AddValue(head, token);
            }

            var (keys, values) = ranges.End()!.Value;
            for (var i = 0; i < HeadSize; i++)
            {
                Assert.All(tokens, token => Assert.InRange(Math.Abs(token[i]), 0, keys[(head * HeadSize) + i]));
                Assert.All(tokens, token => Assert.InRange(Math.Abs(token[i]), 0, values[(head * HeadSize) + i]));
                Assert.Equal(0, values[((1 - head) * HeadSize) + i]);
            }
        });
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void What_is_no_number_has_no_range(float number)
    {
        KvRanges keys = new(Heads, HeadSize), values = new(Heads, HeadSize);
        keys.AddKey(1, [1, 2, number, 4, 5, 6, 7, 8]);
        values.AddValue(0, [1, 2, 3, 4, 5, 6, 7, number]);
        keys.AddKey(1, new float[HeadSize]);
        values.AddValue(0, new float[HeadSize]);
        Assert.Null(keys.End());
        Assert.Null(values.End());
    }

    [Fact]
    public void The_greatest_number_is_the_127th_step_and_a_silent_channel_has_a_step_as_well()
    {
        var config = ModelConfig.Load(Path.Combine(ReferenceCheckpoints.Folder("qwen2"), ModelFiles.ConfigFile));
        var scales = new KvScales(config);
        var ranges = new float[config.KeyValueHeads * config.HeadSize];
        ranges[3] = 4;
        scales.Set(1, ranges, new float[ranges.Length]);
        var keys = Read(scales.Keys(1));
        Assert.Equal(4 / 127f, keys[3]);
        Assert.All(keys.Where((_, i) => i != 3), step => Assert.Equal(0.01f / 127, step));
        Assert.All(Read(scales.Values(1)), step => Assert.True(step > 0));
        Assert.Equal([1, config.KeyValueHeads, 1, config.HeadSize], scales.Keys(1).Shape);
    }

    private static float[] Keys(float[] key)
    {
        var ranges = new KvRanges(1, HeadSize);
        ranges.AddKey(0, key);
        return ranges.End()!.Value.Keys;
    }

    private static float[] Rotated(float[] key, double[] angles)
    {
        var rotated = new float[HeadSize];
        for (var i = 0; i < HeadSize / 2; i++)
        {
            var (sine, cosine) = Math.SinCos(angles[i]);
            rotated[i] = (float)((key[i] * cosine) - (key[i + (HeadSize / 2)] * sine));
            rotated[i + (HeadSize / 2)] = (float)((key[i + (HeadSize / 2)] * cosine) + (key[i] * sine));
        }

        return rotated;
    }

    private static float[] Read(Initializer constant)
    {
        using var stream = new MemoryStream();
        constant.Write(stream);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(stream.ToArray()).ToArray();
    }
}
