using R1Serverless.Abstractions;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Engine.Series;

/// <summary>What is refused of a series' events.</summary>
public sealed class SeriesRefusalTests
{
    public static TheoryData<double[][], string, string> Wrong => new()
    {
        { [[1, 2]], "values", "has 2 values; the model takes 16 in an event" },
        { [new double[16], [1]], "values[1]", "has 1 values" },
        { [[.. Enumerable.Repeat(1e300, 16)]], "values", "beyond FP32" },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public async Task Wrong_values_are_refused_by_name(double[][] events, string field, string words)
    {
        using var folder = TensorFolder.Window(SeriesInferenceTests.Steps, SeriesInferenceTests.Width)
            .With("r1-series.json", SeriesInferenceTests.WindowFile);
        await using var inference = SeriesInferenceTests.Open(folder, out var model);
        var (_, error) = await SeriesInferenceTests.SendAsync(inference, model.Id, "k", events);
        Assert.Equal((InferenceErrorKind.InvalidRequest, field), (error!.Kind, error.Field));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_models_take_no_series()
    {
        using var folder = TensorFolder.AddOne();
        await using var inference = SeriesInferenceTests.Open(folder, out var model);
        var (_, error) = await SeriesInferenceTests.SendAsync(inference, model.Id, "k", [[1]]);
        Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (error!.Kind, error.Field));
        Assert.Equal(InferenceErrorKind.ModelNotFound, (await SeriesInferenceTests.SendAsync(inference, "nobody", "k", [[1]])).Error!.Kind);
    }
}
