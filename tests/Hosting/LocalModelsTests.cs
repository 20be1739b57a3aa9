using R1Serverless.ModelBuilder;
using R1Serverless.ModelLoading;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Hosting;

public sealed class LocalModelsTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-data-").FullName;
    private readonly string _name = $"r1-{Guid.NewGuid():n}";
    private readonly ModelRepository _repository;

    public LocalModelsTests()
    {
        _repository = new ModelRepository(Path.Combine(_data, "models"));
        CheckpointBuilder.Build(ReferenceCheckpoints.Folder("llama"), _repository.FolderOf(_name), _name, TimeProvider.System);
        // In the working directory, as a user may have it beside them.
        Directory.CreateDirectory(_name);
    }

    [Fact]
    public void A_folder_that_happens_to_have_the_name_hides_no_model() => Assert.Equal(_repository.FolderOf(_name), Find(_name).Path);

    [Fact]
    public void A_folder_with_a_built_model_needs_no_separator()
    {
        foreach (var file in Directory.EnumerateFiles(_repository.FolderOf(_name))) File.Copy(file, Path.Combine(_name, Path.GetFileName(file)));
        Assert.Equal(Path.GetFullPath(_name), Find(_name).Path);
    }

    [Fact]
    public void A_separator_makes_it_a_folder() => Assert.Throws<InvalidModelException>(() => Find(Path.Combine(".", _name)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_loaded_tells_when_it_was_there_and_warm_and_is_asked_by_the_process_where_it_warms_up(bool warmsUp)
    {
        var began = TimeProvider.System.GetTimestamp();
        var loaded = await LocalModels.LoadAsync(
            new ServeOptions { DataFolder = _data, Models = [_name], MemoryBytes = 1L << 30, KeyValueMemoryBytes = 1 << 20, WarmsUp = warmsUp },
            new Said(), CancellationToken.None);
        await using var engine = (IAsyncDisposable)loaded.Inference;
        Assert.Equal(warmsUp ? _name : null, loaded.WarmupModel);
        Assert.Equal([StartupPhase.Sessions, StartupPhase.Warmed], loaded.Reached.Select(one => one.Phase));
        long[] moments = [began, .. loaded.Reached.Select(one => one.At), TimeProvider.System.GetTimestamp()];
        Assert.Equal(moments.Order(), moments);
        Assert.Equal(moments.Length, moments.Distinct().Count());
    }

    public void Dispose()
    {
        Directory.Delete(_name, recursive: true);
        Directory.Delete(_data, recursive: true);
    }

    private ModelFolder Find(string named) =>
        Assert.Single(LocalModels.Folders(new ServeOptions { DataFolder = _data, Models = [named] }, new Progress<string>(), CancellationToken.None));
}
