using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Benchmarks;

public sealed class SyntheticModelTests : IDisposable
{
    private const string Name = "random";
    private static readonly SyntheticShape Small = new(32, 1, 2, 1, 16, 64, 1200, 64);

    private static readonly BuildCost Cost = new(12.5, 3_000_000_000);

    private readonly ModelRepository _repository = new(Directory.CreateTempSubdirectory("r1-synthetic-").FullName);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task It_is_built_once()
    {
        var first = await EnsureAsync(Small);
        Assert.Equal(first.Manifest.Created, (await EnsureAsync(Small)).Manifest.Created);
        Assert.Equal(Cost, SyntheticModel.Cost(first));
    }

    [Fact]
    public async Task What_lacks_a_precision_is_built_again_with_all_it_had()
    {
        await EnsureAsync(Small, precision: Precision.Int8);
        var both = await EnsureAsync(Small);
        Assert.Equal([Precision.Fp32, Precision.Int8], both.Manifest.Variants.Select(v => v.Precision));
        Assert.Equal(both.Manifest.Created, (await EnsureAsync(Small, precision: Precision.Int8)).Manifest.Created);
    }

    [Fact]
    public async Task Another_shape_builds_it_again()
    {
        await EnsureAsync(Small);
        Assert.Equal(2, (await EnsureAsync(Small with { Layers = 2 })).Config.Layers);
    }

    [Fact]
    public async Task Another_tokenizer_builds_it_again()
    {
        var first = await EnsureAsync(Small);
        var checkpoint = ReferenceCheckpoints.Copy(ShippedModels.Nano);
        File.AppendAllText(Path.Combine(checkpoint, ModelFiles.TokenizerFile), "\n");
        Assert.NotEqual(first.Manifest.Created, (await EnsureAsync(Small, checkpoint)).Manifest.Created);
        Directory.Delete(checkpoint, recursive: true);
    }

    [Theory]
    [InlineData(ModelManifest.FileName, "{")]
    [InlineData(ModelFiles.ConfigFile, "{}")]
    [InlineData("model.onnx", "short")]
    [InlineData(SyntheticModel.StampFile, "of another version")]
    public async Task A_damaged_one_is_built_again(string file, string content)
    {
        var first = await EnsureAsync(Small);
        File.WriteAllText(Path.Combine(first.Path, file), content);
        var again = await EnsureAsync(Small);
        Assert.NotEqual(first.Manifest.Created, again.Manifest.Created);
        Assert.Equal(again.Manifest.Created, (await EnsureAsync(Small)).Manifest.Created);
    }

    public void Dispose() => Directory.Delete(_repository.Path, recursive: true);

    private Task<ModelFolder> EnsureAsync(SyntheticShape shape, string? tokenizer = null, Precision precision = Precision.Fp32)
    {
        _time.Advance(TimeSpan.FromMinutes(1));
        return SyntheticModel.EnsureAsync(_repository, Name, shape, [precision], tokenizer ?? TestModels.NanoCheckpoint, (checkpoint, target, all) =>
        {
            CheckpointBuilder.Build(checkpoint, target, Name, _time, all);
            return Task.FromResult(Cost);
        });
    }
}
