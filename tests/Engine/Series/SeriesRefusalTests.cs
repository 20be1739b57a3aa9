using R1Serverless.Abstractions;
using R1Serverless.Models;
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

    /// <summary>Of a graph with one number.</summary>
    [Theory]
    [InlineData("""{"window":{},"labels":["a","b","c"]}""", "as many numbers as there are labels, 3")]
    [InlineData("""{"window":{},"labels":["\ud800"]}""", "half of a surrogate pair")]
    [InlineData("""{"window":{"input":"\ud800"}}""", "half of a surrogate pair")]
    [InlineData("""{"window":{},"score":{"output":"y"},"labels":["a","b","c"]}""", "has 3 names, but 'y' has 1 numbers")]
    public void Labels_that_do_not_fit_the_score_are_refused_when_the_model_is_opened(string file, string words)
    {
        using var folder = TensorFolder.Window(SeriesInferenceTests.Steps, SeriesInferenceTests.Width).With("r1-series.json", file);
        Assert.Contains(words, Assert.Throws<InvalidModelException>(folder.Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_history_of_too_many_windows_is_to_be_sent_shortened()
    {
        using var folder = TensorFolder.Recurrent(1);
        await using var inference = SeriesInferenceTests.Open(folder, out var model);
        double[][] history = [.. Enumerable.Range(0, 1025).Select(i => (double[])[i])];
        var (_, error) = await SeriesInferenceTests.SendAsync(inference, model.Id, "k", [[1]], sequence: 1025, history: history);
        Assert.Equal((InferenceErrorKind.InvalidRequest, "history"), (error!.Kind, error.Field));
        Assert.Contains("send its end only", error.Message, StringComparison.Ordinal);
        Assert.Null((await SeriesInferenceTests.SendAsync(inference, model.Id, "k", [[1]], sequence: 1025, history: history[1..])).Error);
    }

    [Fact]
    public async Task What_asks_otherwise_is_told_where_series_are_asked()
    {
        using var folder = TensorFolder.Recurrent(1);
        await using var inference = SeriesInferenceTests.Open(folder, out var model);
        foreach (var prompt in (Prompt[])[new Prompt.Text("a"), new Prompt.Texts(TextTask.Embed, [new TextInput("a")]),
            new Prompt.Texts(TextTask.Rank, [new TextInput("a", "b")]), new Prompt.Texts(TextTask.Classify, [new TextInput("a")])])
        {
            ResultFold fold = new(RequestId.New());
            await foreach (var one in inference.RunAsync(new() { Id = RequestId.New(), Model = model.Id, Prompt = prompt },
                TestContext.Current.CancellationToken)) fold.Add(one);
            Assert.Contains("POST /v1/series", fold.Result().Error!.Message, StringComparison.Ordinal);
        }
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
