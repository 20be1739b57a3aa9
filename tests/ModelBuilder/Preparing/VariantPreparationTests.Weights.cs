using R1Serverless.Engine.Prepared;
using R1Serverless.ModelBuilder.Preparing;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.Runtime;

namespace R1Serverless.Tests.ModelBuilder.Preparing;

/// <summary>Downloaded models, whose weights lie in several files, or behind links into a cache.</summary>
public sealed partial class VariantPreparationTests
{
    private static readonly string[] Parts = ["model.onnx_data", "model.onnx_data_1"];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Another_download_of_any_of_the_weights_files_is_not_answered_for(int part)
    {
        var (model, variant) = Download();
        VariantPreparation.Prepare(model, variant, Options, Cancellation);
        AssertPrepared(model, variant);
        WriteAnew(Path.Combine(model.Path, "onnx", Parts[part]));
        Assert.Contains("changed", PreparedFolder.Detect(model, variant, Options).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_behind_a_link_are_known_by_what_it_leads_to()
    {
        var (model, variant) = Download();
        var (link, blob) = (Path.Combine(model.Path, "onnx", Parts[0]), Path.Combine(model.Path, "onnx", "blob"));
        File.Move(link, blob);
        File.CreateSymbolicLink(link, blob);
        VariantPreparation.Prepare(model, variant, Options, Cancellation);
        AssertPrepared(model, variant);
        WriteAnew(blob);
        Assert.Contains("changed", PreparedFolder.Detect(model, variant, Options).Refusal, StringComparison.Ordinal);
    }

    private static void AssertPrepared(ModelFolder model, ModelVariant variant)
    {
        using var runner = VariantRunner.Open(model, variant, Options);
        Assert.True(runner.IsPrepared);
    }

    /// <summary>Of the same length, as a damaged or an older file may be.</summary>
    private static void WriteAnew(string path) => File.SetLastWriteTimeUtc(path, File.GetLastWriteTimeUtc(path).AddMinutes(1));

    private (ModelFolder Model, ModelVariant Variant) Download()
    {
        var target = Directory.CreateDirectory(Path.Combine(_folder.FullName, "download", "onnx")).Parent!.FullName;
        foreach (var file in (string[])[ModelFiles.ConfigFile, ModelFiles.TokenizerFile])
            File.Copy(Path.Combine(TestModels.Nano.Path, file), Path.Combine(target, file));
        new RewrittenGraph().Save(Path.Combine(target, "onnx", "model.onnx"), Parts);
        var model = ModelFolder.Open(target);
        return (model, Assert.Single(model.Manifest.Variants));
    }
}
