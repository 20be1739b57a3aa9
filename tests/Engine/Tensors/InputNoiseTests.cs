using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Tensors;

namespace R1Serverless.Tests.Engine.Tensors;

public sealed class InputNoiseTests
{
    [Theory]
    [InlineData(5)]
    [InlineData(10)]
    [InlineData(20)]
    [InlineData(40)]
    public void It_is_found_within_a_tenth_in_images_of_either_order(double sigma)
    {
        float[] image = [.. Enumerable.Range(0, 3 * 160 * 200).Select(i => Picture(i / (160 * 200), i % (160 * 200) / 200, i % 200))];
        var channelsFirst = Noisy("x", [1, 3, 160, 200], image, sigma);
        Assert.InRange(InputNoise.Of([channelsFirst])!.Value / sigma, 0.9, 1.1);
        float[] last = [.. Enumerable.Range(0, image.Length).Select(i => image[(i % 3 * 160 * 200) + (i / 3)])];
        Assert.InRange(InputNoise.Of([Noisy("x", [1, 160, 200, 3], last, sigma)])!.Value / sigma, 0.9, 1.1);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(3)]
    public void It_is_found_in_series(double sigma)
    {
        float[] series = [.. Enumerable.Range(0, 2 * 1000).Select(i => MathF.Sin(i / 2 / 40f) + (i % 2 * 7))];
        Assert.InRange(InputNoise.Of([Noisy("x", [1, 1000, 2], series, sigma)])!.Value / sigma, 0.9, 1.1);
    }

    [Fact]
    public void Of_several_rows_and_inputs_the_noisiest_counts()
    {
        var flat = new float[64 * 64];
        Tensor quiet = Noisy("a", [1, 1, 64, 64], flat, 0), loud = Noisy("b", [2, 1, 64, 64], [.. flat, .. flat], 2);
        Assert.Equal(0, InputNoise.Of([quiet]));
        Assert.InRange(InputNoise.Of([quiet, loud])!.Value, 1.8, 2.2);
        byte[] both = [.. quiet.Data.Span, .. loud.Data.Span[..(64 * 64 * 4)]];
        Assert.InRange(InputNoise.Of([loud with { Data = both }])!.Value, 1.8, 2.2);
    }

    [Fact]
    public void What_is_no_image_and_no_series_has_none()
    {
        Assert.Null(InputNoise.Of([TensorFolder.Floats("x", [2, 2], 1, 2, 3, 4), TensorFolder.Longs("i", 1)]));
        Assert.Null(InputNoise.Of([TensorFolder.Floats("x", [0, 3, 64, 64])]));
        Assert.Null(InputNoise.Of([Noisy("x", [1, 3, 64, 64], [.. Enumerable.Repeat(float.NaN, 3 * 64 * 64)], 0)]));
    }

    [Fact]
    public void Bytes_halves_and_doubles_are_read_as_they_are()
    {
        var grey = new float[64 * 64];
        Array.Fill(grey, 100f);
        var floats = Noisy("x", [1, 64, 64, 1], grey, 10);
        var values = TensorFolder.Floats(floats);
        var bytes = floats with { Type = TensorType.UInt8, Data = values.Select(value => (byte)MathF.Round(value)).ToArray() };
        var halves = floats with { Type = TensorType.Float16, Data = values.SelectMany(value => BitConverter.GetBytes((Half)value)).ToArray() };
        var doubles = floats with { Type = TensorType.Float64, Data = values.SelectMany(value => BitConverter.GetBytes((double)value)).ToArray() };
        Assert.All([bytes, halves, doubles], input => Assert.InRange(InputNoise.Of([input])!.Value / InputNoise.Of([floats])!.Value, 0.97, 1.03));
    }

    [Fact]
    public void Added_noise_is_a_share_of_the_inputs_own_deviation_and_the_same_again()
    {
        float[] image = [.. Enumerable.Range(0, 160 * 200).Select(i => Picture(0, i / 200, i % 200))];
        var clean = Noisy("x", [1, 1, 160, 200], image, 0);
        var noisy = AddedNoise.To([clean, TensorFolder.Longs("i", 7)], 0.2, 5);
        Assert.InRange(InputNoise.Of([noisy[0]])!.Value / (0.2 * AddedNoise.Deviation(clean)), 0.9, 1.1);
        Assert.Equal(noisy[0].Data.ToArray(), AddedNoise.To([clean], 0.2, 5)[0].Data.ToArray());
        Assert.Equal(TensorFolder.Longs("i", 7).Data.ToArray(), noisy[1].Data.ToArray());
    }

    /// <summary>Slopes, edges along both axes, and a disc.</summary>
    private static float Picture(int channel, int y, int x) =>
        (channel * 20) + (x * 0.4f) + (y / 40 % 2 * 60) + ((x - 100) * (x - 100) + ((y - 80) * (y - 80)) < 1600 ? 50 : 0);

    private static Tensor Noisy(string name, long[] shape, float[] values, double sigma)
    {
        Random random = new(11);
        return TensorFolder.Floats(name, shape, [.. values.Select(value => value + (float)(sigma * Normal(random)))]);
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
