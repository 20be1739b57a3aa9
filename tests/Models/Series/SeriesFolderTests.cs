using R1Serverless.Models;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Models.Series;

/// <summary>r1-series.json against its graph.</summary>
public sealed class SeriesFolderTests
{
    public static TheoryData<string, string> Wrong => new()
    {
        { """{"windows":{}}""", "windows is unknown; there can be window, input, state" },
        { """{"window":{"size":3}}""", "window.size is unknown" },
        { """{"window":{"steps":5}}""", "window.steps is 5, but 'x' takes 4 steps" },
        { """{"window":{"steps":0}}""", "window.steps must be a whole number of at least 1" },
        { """{"window":{"stride":5}}""", "window.stride must be a whole number of at least 1 and at most 4" },
        { """{"window":{"pad":4}}""", "window.pad must be a whole number of at least 0 and at most 3" },
        { """{"window":{"axis":3}}""", "window.axis must be a whole number" },
        { """{"window":{"input":"z"}}""", "window.input is 'z', which is none of 'x'" },
        { """{"window":{},"input":"x"}""", "input stands in 'window'" },
        { """{}""", "window is missing, and the graph has no state" },
        { """{"window":{},"state":{}}""", "state must be a list of" },
        { """{"window":{},"state":[{"input":"x"}]}""", "state must be a list of" },
        { """{"window":{},"state":[{"input":"q","output":"y"}]}""", "state names the input 'q', which the graph does not have" },
        { """{"window":{},"state":[{"input":"x","output":"y"}]}""", "state pairs 'x' and 'y', which have different shapes" },
        { """{"window":{},"inputs":{"rate":1}}""", "inputs.rate names no input of the graph" },
        { """{"window":{},"inputs":{"x":1}}""", "inputs.x can't be given: the input is not one number" },
        { """{"window":{},"score":{"output":"x"}}""", "score.output must name an output of FP32 or FP64, which 'x' is not" },
        { """{"window":{},"score":{"output":"y","index":1}}""", "score.index is 1, but 'y' has 1 numbers" },
        { """{"window":{},"threshold":"high"}""", "threshold must be a number" },
        { """{"window":{},"labels":[1]}""", "labels must be a list of names" },
        { """{"window":{},"score":{"output":"y"},"labels":["a","b"]}""", "labels has 2 names, but 'y' has 1 numbers" },
        { """[]""", "must hold a JSON object" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_the_graph_does_not_have_is_refused_in_words(string file, string words)
    {
        using var folder = TensorFolder.Window(4, 2).With("r1-series.json", file);
        var fault = Assert.Throws<InvalidModelException>(folder.Open);
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
        Assert.Contains("r1-series.json", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_and_values_are_the_graph_s()
    {
        using var folder = TensorFolder.Window(4, 2).With("r1-series.json", """{"window":{"stride":2,"pad":1},"threshold":0.3}""");
        var series = folder.Open().Series!;
        Assert.Equal(("x", 4, 2, 1, 2), (series.Input, series.Window!.Steps, series.Window.Stride, series.Window.Pad, series.EventSize));
        Assert.Equal(("y", 0, 0.3), (series.Score!.Output, series.Score.Index, series.Score.Threshold));
    }

    [Theory]
    [InlineData("h", "hn", true)]
    [InlineData("state", "stateN", true)]
    [InlineData("h0", "hn", true)]
    [InlineData("c_in", "c_out", true)]
    [InlineData("memory", "new_memory", true)]
    [InlineData("h", "g", false)]
    public void States_are_found_by_their_names(string state, string next, bool isFound)
    {
        using var folder = TensorFolder.Recurrent(3, state, next);
        var series = folder.Open().Series;
        Assert.Equal(isFound, series is not null);
        if (!isFound) return;
        Assert.Equal((next, state), (series!.States.Single().Output, series.States.Single().Initial.Name));
        Assert.Equal(("x", 3, "y"), (series.Input, series.EventSize, series.Score!.Output));
    }

    [Fact]
    public void Other_graphs_take_no_series()
    {
        foreach (var make in (Func<TensorFolder>[])[() => TensorFolder.AddOne(), () => TensorFolder.Encoder(), () => TensorFolder.Fixed()])
        {
            using var folder = make();
            Assert.Null(folder.Open().Series);
        }
    }
}
