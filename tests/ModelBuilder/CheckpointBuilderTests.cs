using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.ModelBuilder;

public sealed class CheckpointBuilderTests : IDisposable
{
    private readonly ModelRepository _repository = new(Path.Combine(Directory.CreateTempSubdirectory("r1-repository-").FullName, "models"));

    [Fact]
    public void A_built_folder_opens_with_everything_in_it()
    {
        var model = Build("qwen2");
        Assert.Equal(["tiny"], _repository.Names());
        Assert.Equal("tiny", Assert.Single(_repository.List()).Name);
        Assert.Equal(7, model.Config.Windows[1]);
        Assert.Equal([2], model.Generation.EndTokens);
        var variant = Assert.Single(model.Manifest.Variants);
        Assert.Equal((Precision.Fp32, "model.onnx", null, new FileInfo(model.GraphPath(variant)).Length),
            (variant.Precision, variant.File, variant.DataFile, variant.Bytes));
        Assert.True(File.Exists(model.TokenizerPath));
        Assert.True(File.Exists(Path.Combine(model.Path, GenaiConfig.FileName)));
        Assert.Equal([model.Path], Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void Variants_lie_side_by_side_and_missing_ones_are_added_by_a_new_build()
    {
        var two = _repository.EnsureBuilt(ReferenceCheckpoints.Folder("qwen2"), "tiny", TimeProvider.System,
            [Precision.Int8, Precision.Fp32, Precision.Int8]);
        Assert.Equal([Precision.Fp32, Precision.Int8], two.Manifest.Variants.Select(variant => variant.Precision));
        var all = _repository.EnsureBuilt(ReferenceCheckpoints.Folder("qwen2"), "tiny", TimeProvider.System);
        Assert.Equal(["model.onnx", "model_fp16.onnx", "model_int8.onnx", "model_int4.onnx"], all.Manifest.Variants.Select(variant => variant.File));
        Assert.All(all.Manifest.Variants, variant => Assert.Equal(variant.Bytes, new FileInfo(all.GraphPath(variant)).Length));
        Assert.Equal(two.Manifest.Parameters, all.Manifest.Parameters);
        Assert.Contains("\"filename\": \"model.onnx\"", File.ReadAllText(Path.Combine(all.Path, GenaiConfig.FileName)), StringComparison.Ordinal);
        Assert.Equal(all.Manifest.Created, Build("qwen2").Manifest.Created);
    }

    [Fact]
    public void A_disk_that_runs_full_is_one_sentence_and_leaves_nothing()
    {
        // The system's own words and code for a full disk.
        using FileStream full = new("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        var fault = Assert.Throws<IOException>(() => full.Write([1]));
        var said = Assert.Throws<IOException>(
            () => _repository.EnsureBuilt(ReferenceCheckpoints.Folder("qwen2"), "tiny", TimeProvider.System, [Precision.Fp32], new Breaker(fault)));
        Assert.Equal(fault, said.InnerException);
        Assert.StartsWith("The disk was full before the model was written: it needs 1 MB in ", said.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', said.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void Any_other_fault_of_a_build_stays_what_it_is()
    {
        var fault = new IOException("the network has gone");
        Assert.Same(fault,
            Assert.Throws<IOException>(
            () => _repository.EnsureBuilt(ReferenceCheckpoints.Folder("qwen2"), "tiny", TimeProvider.System, [Precision.Fp32], new Breaker(fault))));
        Assert.Empty(Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void Ensure_builds_once_and_again_when_the_checkpoint_changes()
    {
        var checkpoint = ReferenceCheckpoints.Copy("qwen2");
        var reports = new List<BuildProgress>();
        var progress = new Recorder(reports);
        var first = _repository.EnsureBuilt(checkpoint, "tiny", TimeProvider.System, [Precision.Fp32], progress);
        Assert.Equal(reports[^1].TotalBytes, reports[^1].WrittenBytes);
        reports.Clear();
        var second = _repository.EnsureBuilt(checkpoint, "tiny", TimeProvider.System, [Precision.Fp32], progress);
        Assert.Empty(reports);
        Assert.Equal(first.Manifest.Created, second.Manifest.Created);

        File.AppendAllText(Path.Combine(checkpoint, ModelFiles.ConfigFile), "\n");
        var third = _repository.EnsureBuilt(checkpoint, "tiny", TimeProvider.System, [Precision.Fp32], progress);
        Assert.NotEmpty(reports);
        Assert.NotEqual(first.Manifest.Fingerprint, third.Manifest.Fingerprint);
        Assert.Equal([third.Path], Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void Ensure_repairs_a_damaged_model()
    {
        var model = Build("qwen2");
        File.Delete(model.GraphPath(model.Manifest.Variants[0]));
        Assert.Throws<InvalidModelException>(() => _repository.Find("tiny"));
        Assert.True(File.Exists(Build("qwen2").GraphPath(model.Manifest.Variants[0])));
    }

    [Fact]
    public async Task Builds_at_once_all_end_with_the_whole_model()
    {
        using var barrier = new Barrier(4);
        var builds = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
            () =>
            {
                barrier.SignalAndWait();
                return CheckpointBuilder.Build(ReferenceCheckpoints.Folder("qwen2"), _repository.FolderOf("tiny"), "tiny", TimeProvider.System);
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        foreach (var model in await Task.WhenAll(builds)) Assert.Equal("tiny", model.Name);
        Assert.NotNull(_repository.Find("tiny"));
        Assert.Equal([_repository.FolderOf("tiny")], Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void A_stopped_build_leaves_the_old_model_and_nothing_else()
    {
        var old = Build("qwen2");
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => CheckpointBuilder.Build(
            ReferenceCheckpoints.Folder("llama"), old.Path, "tiny", TimeProvider.System, [Precision.Fp32], new Canceller(cancellation),
            cancellation.Token));
        Assert.Equal(old.Manifest.Fingerprint, _repository.Find("tiny")!.Manifest.Fingerprint);
        Assert.Equal([old.Path], Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void What_a_killed_build_left_is_removed_and_a_build_under_way_is_not()
    {
        string dead = Path.Combine(_repository.Path, WorkFolder.Prefix + "dead"), alive = Path.Combine(_repository.Path, WorkFolder.Prefix + "alive");
        foreach (var folder in new[] { dead, alive })
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, ".lock"), "");
        }

        using var held = new FileStream(Path.Combine(alive, ".lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Build("qwen2");
        Assert.False(Directory.Exists(dead));
        Assert.True(Directory.Exists(alive));
        Assert.Equal(["tiny"], _repository.Names());
    }

    [Theory]
    [InlineData("")]
    [InlineData("../up")]
    [InlineData(".hidden")]
    [InlineData("a/b")]
    public void A_name_must_be_one_plain_folder(string name)
    {
        Assert.Contains("no model name", Assert.Throws<InvalidModelException>(() => CheckpointBuilder.Build(
            ReferenceCheckpoints.Folder("qwen2"), _repository.FolderOf("x"), name, TimeProvider.System)).Message);
        Assert.Null(_repository.Find(name));
    }

    [Theory]
    [InlineData("models--Qwen--Qwen3-0.6B/snapshots/c1899de289a04d12100db370d81485cdf75e47ca", "Qwen3-0.6B")]
    [InlineData("models--Qwen--Qwen3-0.6B/snapshots/main/", "Qwen3-0.6B")]
    [InlineData("models--gpt2/snapshots/607a30d7", "gpt2")]
    [InlineData("models--org--a--b/snapshots/607a30d7", "a--b")]
    [InlineData("other/snapshots/607a30d7", "607a30d7")]
    [InlineData("models--org--name/blobs/607a30d7", "607a30d7")]
    [InlineData("Qwen3-0.6B/", "Qwen3-0.6B")]
    public void A_snapshot_in_Hugging_Faces_cache_is_named_by_its_model(string folder, string name)
    {
        Assert.Equal(name, ModelName.Of(folder));
        Assert.Equal(name, ModelName.Of(Path.GetFullPath(folder)));
    }

    [Fact]
    public void A_folder_that_is_no_model_is_left_alone()
    {
        var precious = Path.Combine(_repository.FolderOf("tiny"), "precious.txt");
        Directory.CreateDirectory(_repository.FolderOf("tiny"));
        File.WriteAllText(precious, "mine");
        Assert.Contains("left alone", Assert.Throws<InvalidModelException>(() => Build("qwen2")).Message);
        Assert.Equal("mine", File.ReadAllText(precious));
    }

    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer.model")]
    public void A_tokenizer_that_cannot_be_read_exactly_is_refused_before_anything_is_written(string file)
    {
        var checkpoint = ReferenceCheckpoints.Copy("qwen2");
        File.Delete(Path.Combine(checkpoint, "tokenizer.json"));
        File.WriteAllText(Path.Combine(checkpoint, file), file == "tokenizer.json" ? """{"model":{"type":"WordPiece"}}""" : string.Empty);
        var refusal = Assert.Throws<UnsupportedTokenizerException>(
            () => _repository.EnsureBuilt(checkpoint, "tiny", TimeProvider.System, [Precision.Fp32]));
        Assert.Contains(file, refusal.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_repository.Path) && Directory.GetFileSystemEntries(_repository.Path).Length > 0);
    }

    [Fact]
    public void A_random_checkpoint_builds_and_is_the_same_for_the_same_seed()
    {
        var shape = new SyntheticShape(Hidden: 32, Layers: 1, Heads: 2, KeyValueHeads: 1, HeadSize: 16, Intermediate: 48, Vocabulary: 300,
            Context: 64);
        string[] folders = [Directory.CreateTempSubdirectory("r1-random-").FullName, Directory.CreateTempSubdirectory("r1-random-").FullName];
        foreach (var folder in folders) SyntheticCheckpoint.Write(folder, shape, ReferenceCheckpoints.Folder("qwen2"));
        Assert.Equal(CheckpointBuilder.Fingerprint(folders[0]), CheckpointBuilder.Fingerprint(folders[1]));

        var model = _repository.EnsureBuilt(folders[0], "random", TimeProvider.System, [Precision.Fp32]);
        Assert.Equal((300, 64), (model.Config.VocabularySize, model.Config.ContextLength));
        Assert.Empty(model.Generation.EndTokens);
        using var session = new GraphSession(folders[0], allLogits: false);
        var logits = session.Step([1, 2, 3], 3);
        Assert.All(logits, logit => Assert.True(float.IsFinite(logit)));
        Assert.True(logits.Distinct().Count() > 250);
    }

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_repository.Path)!, recursive: true);

    private ModelFolder Build(string checkpoint) =>
        _repository.EnsureBuilt(ReferenceCheckpoints.Folder(checkpoint), "tiny", TimeProvider.System, [Precision.Fp32]);

    private sealed class Recorder(List<BuildProgress> reports) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => reports.Add(value);
    }

    private sealed class Canceller(CancellationTokenSource source) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => source.Cancel();
    }

    private sealed class Breaker(Exception fault) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => throw fault;
    }
}
