using Microsoft.Extensions.Time.Testing;
using R1Serverless.Bench;
using R1Serverless.Building;
using R1Serverless.Models;
using R1Serverless.Tests.Building;

namespace R1Serverless.Tests.Bench;

public sealed class SyntheticModelTests : IDisposable
{
    private const string Name = "random";
    private static readonly SyntheticShape Small = new(32, 1, 2, 1, 16, 64, 1200, 64);

    private readonly ModelRepository _repository = new(Directory.CreateTempSubdirectory("r1-synthetic-").FullName);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void It_is_built_once()
    {
        var first = Ensure(Small);
        Assert.Equal(first.Manifest.Created, Ensure(Small).Manifest.Created);
    }

    [Fact]
    public void Another_shape_builds_it_again()
    {
        Ensure(Small);
        Assert.Equal(2, Ensure(Small with { Layers = 2 }).Config.Layers);
    }

    [Fact]
    public void Another_tokenizer_builds_it_again()
    {
        var first = Ensure(Small);
        var checkpoint = ReferenceCheckpoints.Copy(ShippedModels.Nano);
        File.AppendAllText(Path.Combine(checkpoint, ModelFolder.TokenizerFile), "\n");
        Assert.NotEqual(first.Manifest.Created, Ensure(Small, checkpoint).Manifest.Created);
        Directory.Delete(checkpoint, recursive: true);
    }

    [Theory]
    [InlineData(ModelManifest.FileName, "{")]
    [InlineData(ModelFolder.ConfigFile, "{}")]
    [InlineData("model.onnx", "short")]
    [InlineData(SyntheticModel.StampFile, "of another version")]
    public void A_damaged_one_is_built_again(string file, string content)
    {
        var first = Ensure(Small);
        File.WriteAllText(Path.Combine(first.Path, file), content);
        var again = Ensure(Small);
        Assert.NotEqual(first.Manifest.Created, again.Manifest.Created);
        Assert.Equal(again.Manifest.Created, Ensure(Small).Manifest.Created);
    }

    public void Dispose() => Directory.Delete(_repository.Path, recursive: true);

    private ModelFolder Ensure(SyntheticShape shape, string? tokenizer = null)
    {
        _time.Advance(TimeSpan.FromMinutes(1));
        return SyntheticModel.Ensure(_repository, Name, shape, tokenizer ?? TestModels.NanoCheckpoint, _time);
    }
}
