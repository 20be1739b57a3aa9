using R1Serverless.Abstractions;
using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Layouts;
using R1Serverless.Tests.Engine.ModelHosting;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>Folders that another program made, and what was measured of them, on their way through a repository.</summary>
public sealed class FoundDeliveryTests : IDisposable
{
    private readonly DeliveryWorld _world = new();
    private readonly string _path = Path.Combine(Directory.CreateTempSubdirectory("r1-found-delivery-").FullName, DeliveryWorld.Model);

    public FoundDeliveryTests()
    {
        Directory.CreateDirectory(Path.Combine(_path, "onnx"));
        foreach (var file in (string[])[ModelFiles.ConfigFile, ModelFiles.TokenizerFile])
            File.Copy(Path.Combine(TestModels.Nano.Path, file), Path.Combine(_path, file));
        foreach (var variant in TestModels.Nano.Manifest.Variants)
            File.Copy(TestModels.Nano.GraphPath(variant), Path.Combine(_path, "onnx", variant.File));
    }

    [Fact]
    public async Task What_was_measured_of_a_folder_holds_for_the_fetched_copy_until_that_is_touched()
    {
        await MeasureAsync();
        using var fetched = await DeliverAsync("1");
        var there = ModelFolder.Open(fetched.Path).Manifest;
        Assert.Equal([50], Int8(there).Evaluations.Select(one => one.AccuracyDrop));
        Assert.Equal(DeliveryWorld.Model, there.Name);
        File.SetLastWriteTimeUtc(Path.Combine(fetched.Path, Int8(there).File), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Empty(Int8(ModelFolder.Open(fetched.Path).Manifest).Evaluations);
    }

    [Fact]
    public async Task What_was_measured_of_files_that_were_replaced_since_is_not_pushed()
    {
        await MeasureAsync();
        File.SetLastWriteTimeUtc(Path.Combine(_path, Int8(ModelFolder.Open(_path).Manifest).File),
            new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        using var fetched = await DeliverAsync("1");
        Assert.DoesNotContain(fetched.Manifest.Files, file => file.Path == ExternalEvaluations.FileName);
        Assert.Empty(Int8(ModelFolder.Open(fetched.Path).Manifest).Evaluations);
    }

    public void Dispose()
    {
        _world.Dispose();
        Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);
    }

    private static ModelVariant Int8(ModelManifest manifest) => manifest.Variants.Single(variant => variant.Precision == Precision.Int8);

    private Task MeasureAsync() => StoredEvaluations.UpdateAsync(
        ModelFolder.Open(_path), now => now.WithEvaluation(Int8(now).File, Measured.On("cpu", 50, 8000)), TimeProvider.System,
        TestContext.Current.CancellationToken);

    private async Task<CachedVersion> DeliverAsync(string version)
    {
        await new VersionPush(_world.Repository, TimeProvider.System).RunAsync(ModelFolder.Open(_path), version, "tester", progress: null,
            TestContext.Current.CancellationToken);
        return await _world.FetchAsync(version);
    }
}
