using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.ModelHosting;

namespace R1Serverless.Tests.Models;

/// <summary>What was measured of folders that another program made.</summary>
public sealed class FoundEvaluationTests : IDisposable
{
    private const string Sidecar = "r1-evaluation.json";

    private readonly string _path = Directory.CreateTempSubdirectory("r1-found-evaluation-").FullName;

    public FoundEvaluationTests()
    {
        Directory.CreateDirectory(Path.Combine(_path, "onnx"));
        foreach (var file in (string[])[ModelFiles.ConfigFile, ModelFiles.TokenizerFile, ModelFiles.GenerationFile])
            File.Copy(Path.Combine(TestModels.Nano.Path, file), Path.Combine(_path, file));
        foreach (var variant in TestModels.Nano.Manifest.Variants)
            File.Copy(TestModels.Nano.GraphPath(variant), Path.Combine(_path, "onnx", variant.File));
    }

    [Fact]
    public async Task They_are_kept_beside_the_graphs_and_read_with_them()
    {
        var found = ModelFolder.Open(_path);
        Assert.All(found.Manifest.Variants, variant => Assert.Empty(variant.Evaluations));
        Assert.Equal(Path.Combine(_path, Sidecar), await KeepAsync(found, "cpu", 0.25));
        await KeepAsync(found, "cuda", 0.5);
        var again = ModelFolder.Open(_path).Manifest;
        Assert.Equal([("cpu", 0.25), ("cuda", 0.5)], Int8(again).Evaluations.Select(one => (one.Device, one.AccuracyDrop)));
        Assert.Equal(8000, Int8(again).Evaluations[0].TokensPerSecond[8]);
        Assert.Empty(again.Variants.Single(variant => variant.Precision == Precision.Fp32).Evaluations);
        Assert.False(File.Exists(Path.Combine(_path, ModelManifest.FileName)));
    }

    [Fact]
    public async Task Of_a_graph_that_was_replaced_they_say_nothing_and_are_measured_anew()
    {
        var found = ModelFolder.Open(_path);
        await KeepAsync(found, "cpu", 0.25);
        var graph = Path.Combine(_path, Int8(found.Manifest).File);
        File.SetLastWriteTimeUtc(graph, File.GetLastWriteTimeUtc(graph) + TimeSpan.FromSeconds(1));
        var replaced = ModelFolder.Open(_path);
        Assert.All(replaced.Manifest.Variants, variant => Assert.Empty(variant.Evaluations));
        var error = await Assert.ThrowsAsync<InvalidModelException>(() => KeepAsync(found, "cpu", 0.75));
        Assert.Contains("replaced while it was measured", error.Message, StringComparison.Ordinal);
        await KeepAsync(replaced, "cpu", 0.5);
        Assert.Equal([0.5], Int8(ModelFolder.Open(_path).Manifest).Evaluations.Select(one => one.AccuracyDrop));
    }

    [Theory]
    [InlineData("{", "is damaged: delete it")]
    [InlineData("null", "is not of format 1")]
    [InlineData("""{"format":2,"fingerprint":"x","variants":{}}""", "is not of format 1")]
    [InlineData("""{"format":1,"fingerprint":null,"variants":{}}""", "is damaged: delete it")]
    public void A_damaged_file_is_said_to_be_that(string text, string words)
    {
        File.WriteAllText(Path.Combine(_path, Sidecar), text);
        var error = Assert.Throws<InvalidModelException>(() => ModelFolder.Open(_path));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Contains(Sidecar, error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    private static ModelVariant Int8(ModelManifest manifest) => manifest.Variants.Single(variant => variant.Precision == Precision.Int8);

    private static Task<string> KeepAsync(ModelFolder folder, string device, double drop) => StoredEvaluations.UpdateAsync(
        folder, now => now.WithEvaluation(Int8(now).File, Measured.On(device, drop, 8000)), TimeProvider.System,
        TestContext.Current.CancellationToken);
}
