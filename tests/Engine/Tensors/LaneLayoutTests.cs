using System.Diagnostics;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Tests.Engine.Tensors;

/// <summary>How many runs go on at once.</summary>
public sealed class LaneLayoutTests
{
    [Theory]
    [InlineData(new[] { 100.0, 101, 102 }, new[] { 90.0, 91, 92 }, true)]
    // Less than five percent are not worth a slower lone request.
    [InlineData(new[] { 100.0, 101, 102 }, new[] { 97.0, 98, 99 }, false)]
    // One hiccup, of either, decides nothing.
    [InlineData(new[] { 100.0, 3, 102 }, new[] { 90.0, 91, 92 }, true)]
    [InlineData(new[] { 100.0, 101, 102 }, new[] { 120.0, 121, 3 }, false)]
    // Of two rounds, their middle.
    [InlineData(new[] { 100.0, 120 }, new[] { 100.0, 102 }, true)]
    // The other layout can't run.
    [InlineData(new double[0], new double[0], true)]
    public void The_medians_decide(double[] many, double[] one, bool isWorthIt) => Assert.Equal(isWorthIt, LaneLayout.IsWorthIt(many, one));

    [Fact]
    public void Measuring_takes_a_quarter_of_a_second_and_leaves_one_session_that_runs()
    {
        using var folder = TensorFolder.AddOne();
        var model = folder.Open();
        var graph = TensorGraph.Read(model.GraphPath(model.Manifest.Variants[0]));
        var layout = LaneLayout.Open(model, model.Manifest.Variants[0], graph, new RuntimeOptions { Threads = 2 });
        var batching = BatchProbe.Run(graph, layout.Session, TimeProvider.System);
        var watch = Stopwatch.StartNew();
        var best = layout.Measured(graph, batching, TimeProvider.System);
        // The rest is for machines that do much else.
        Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(0.2), TimeSpan.FromSeconds(2));
        Assert.InRange(best.Lanes, 1, 2);
        using var session = best.Session;
        Assert.Single(session.Run([[TensorFolder.Floats("x", [1, 2], 1, 2)]], [1]));
    }
}
