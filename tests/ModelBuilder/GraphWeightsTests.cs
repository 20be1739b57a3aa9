using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder;

public sealed class GraphWeightsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-weights-").FullName;

    /// <summary>An embedding of its own is looked up, not read through; a tied one is the head as well. Rotary tables are looked up too.</summary>
    [Theory]
    [MemberData(nameof(ReferenceCheckpoints.Names), MemberType = typeof(ReferenceCheckpoints))]
    public void A_step_reads_all_but_what_it_looks_up(string name)
    {
        var model = CheckpointBuilder.Build(ReferenceCheckpoints.Folder(name), Path.Combine(_folder, "model"), "model", TimeProvider.System);
        var lookedUp = model.Config.TiedEmbeddings ? 0 : (long)model.Config.VocabularySize * model.Config.HiddenSize;
        var weights = sizeof(float) * (model.Manifest.Parameters - lookedUp);
        // A few whole numbers of the graph's own stand beside the weights.
        Assert.InRange(GraphWeights.ReadPerStep(model.GraphPath(model.Manifest.Variants[0])), weights, weights + 100);
    }

    [Fact]
    public void What_is_no_graph_is_said_so()
    {
        var path = Path.Combine(_folder, "text.onnx");
        File.WriteAllText(path, "hello");
        Assert.Contains("no ONNX file", Assert.Throws<InvalidModelException>(() => GraphWeights.ReadPerStep(path)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
