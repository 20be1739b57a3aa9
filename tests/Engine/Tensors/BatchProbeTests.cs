using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Tests.Engine.Tensors;

/// <summary>Whether rows keep their bits in company, seen by runs over made-up inputs.</summary>
public sealed class BatchProbeTests
{
    [Theory]
    [InlineData(TensorType.Float32)]
    [InlineData(TensorType.Float16)]
    [InlineData(TensorType.Int8)]
    [InlineData(TensorType.Int64)]
    public void Outputs_of_every_type_are_compared_in_bits(TensorType type)
    {
        using var folder = TensorFolder.MixingBits(type);
        var model = folder.Open();
        var graph = TensorGraph.Read(model.GraphPath(model.Manifest.Variants[0]));
        using var session = LaneLayout.Open(model, model.Manifest.Variants[0], graph, new RuntimeOptions { Threads = 1 }).Session;
        Assert.Equal(type, TensorGraph.TypeOf(graph.Outputs[0]));
        Assert.Equal("a row's results are not the same, bit for bit, in company", BatchProbe.Run(graph, session, TimeProvider.System).Reason);
    }
}
