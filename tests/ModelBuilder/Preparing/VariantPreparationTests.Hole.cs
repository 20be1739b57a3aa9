using R1Serverless.Abstractions;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.ModelBuilder.Preparing;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.ModelBuilder.Preparing;

/// <summary>What stands for the plain forms of large weights, and how they are packed.</summary>
public sealed partial class VariantPreparationTests
{
    [Fact]
    public void Nodes_stand_in_the_order_in_which_their_weights_are_best_packed()
    {
        var (path, hole) = PrepareWide();
        var graph = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(path, PreparedManifest.GraphFile))).Graph;
        // Small weights are not hollow, and have their packed form beside them; the one with all the others' is no weight of a product.
        var bytes = graph.Initializer.Where(
            one => hole.Windows.Any(window => window.Name == one.Name)
            || one.ExternalData.Count(entry => entry.Key.StartsWith("prepacked_", StringComparison.Ordinal)) == 1)
            .ToDictionary(one => one.Name, one => one.Dims.Aggregate((product, next) => product * next), StringComparer.Ordinal);
        var sizes = graph.Node.SelectMany(node => node.Input).Where(bytes.ContainsKey).Select(input => bytes[input]).ToArray();
        Assert.Equal(bytes.Count, sizes.Length);
        Assert.True(sizes.Distinct().Count() > 1);
        Assert.Equal(PackOrder.Of(sizes).Select(i => sizes[i]), sizes);
    }

    [Fact]
    public void The_hole_in_the_file_serves_sessions_that_are_given_none_in_memory()
    {
        var (path, hole) = PrepareWide();
        var (model, graph) = (ModelFolder.Open(Path.Combine(_folder.FullName, "wide")), Path.Combine(path, PreparedManifest.GraphFile));
        using OrtModelRunner inMemory = VariantRunner.Own(PreparedSession.Open(graph, hole, Options), model),
            inFile = VariantRunner.Own(PreparedSession.Open(graph, null, Options), model);
        var expected = Generate(inMemory, 3);
        Assert.Equal(expected, Generate(inFile, 3));

        // The one in the file is not looked at where there is one in memory: without its mark no packed form would be found.
        using (var weights = File.OpenWrite(Path.Combine(path, PreparedManifest.WeightsFile)))
        {
            weights.Position = weights.Length - hole.Bytes + hole.Mark;
            weights.WriteByte(0);
        }

        using OrtModelRunner again = VariantRunner.Own(PreparedSession.Open(graph, hole, Options), model),
            lost = VariantRunner.Own(PreparedSession.Open(graph, null, Options), model);
        Assert.Equal(expected, Generate(again, 3));
        Assert.NotEqual(expected, Generate(lost, 3));
    }

    [Fact]
    public void A_hole_that_lies_elsewhere_is_not_used()
    {
        var (path, hole) = PrepareWide();
        var (model, file) = (ModelFolder.Open(Path.Combine(_folder.FullName, "wide")), Path.Combine(path, PreparedManifest.FileName));
        var manifest = PreparedManifest.Find(file)!;
        foreach (var other in (PreparedHole[])[
                     hole with { Mark = hole.Bytes }, hole with { Bytes = manifest.WeightBytes + 1 },
                         hole with { Windows = [hole.Windows[0] with { At = -1 }] },
                     hole with { Windows = [hole.Windows[0] with { At = hole.Bytes }] }])
        {
            (manifest with { Hole = other }).Save(file);
            AssertRefused(model, Variant(model, Precision.Int8), "damaged");
        }

        // Inside, but too small for its weight, or of another shape: ONNX Runtime says it.
        foreach (var other in (HoleWindow[])[hole.Windows[0] with { At = hole.Bytes - 1 }, hole.Windows[0] with { Shape = [1, 2] }])
        {
            (manifest with { Hole = hole with { Windows = [other] } }).Save(file);
            using var runner = VariantRunner.Open(model, Variant(model, Precision.Int8), Options);
            Assert.False(runner.IsPrepared);
            Assert.NotNull(runner.PreparedRefusal);
        }
    }

    /// <summary>A model with weights of more than a megabyte, prepared in INT8.</summary>
    private (string Path, PreparedHole Hole) PrepareWide()
    {
        var model = MakeWide(Precision.Int8);
        var path = VariantPreparation.Prepare(model, Variant(model, Precision.Int8), Options, Cancellation).Path;
        return (path, PreparedManifest.Find(Path.Combine(path, PreparedManifest.FileName))!.Hole!);
    }
}
