using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Preparing;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.ModelBuilder.Preparing;

/// <summary>What `r1 model prepare` writes: the plain model's answers, and nothing that fits no more.</summary>
public sealed partial class VariantPreparationTests : IDisposable
{
    private const int Steps = 3;

    private static readonly RuntimeOptions Options = new() { Threads = 2, Device = DeviceKind.Cpu };

    /// <summary>Weights of more than a megabyte, also in 4 bits, whose plain forms are given up; the embedding is tied.</summary>
    private static readonly SyntheticShape Wide = new(512, 2, 4, 2, 128, 4608, 600, 256);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("r1-prepare-");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Fp16)]
    [InlineData(Precision.Int8)]
    [InlineData(Precision.Int4)]
    public void A_prepared_variant_answers_as_the_plain_one_bit_for_bit_alone_and_in_company(Precision precision)
    {
        var model = Copy(TestModels.Nano);
        AssertSameAnswers(model, Variant(model, precision));
    }

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Int8)]
    [InlineData(Precision.Int4)]
    public void Large_weights_are_kept_once_and_answer_the_same(Precision precision)
    {
        var model = MakeWide(precision);
        var variant = Variant(model, precision);
        var prepared = AssertSameAnswers(model, variant);
        Assert.True(prepared.HasPlaceholders);
        // Plain and packed they would take more than twice the room. Packed blocks of INT4 are half as large again as plain ones, and a tied
        // embedding in floats stays in both forms.
        Assert.InRange(prepared.Bytes, 0, variant.Bytes * 1.6);
    }

    [Fact]
    public void What_was_prepared_for_another_machine_or_version_is_not_used_and_the_reason_is_told()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var path = VariantPreparation.Prepare(model, variant, Options, Cancellation).Path;
        var manifest = PreparedManifest.Find(Path.Combine(path, PreparedManifest.FileName))!;
        foreach (var (other, word) in new[]
                 {
                     (manifest.Key with { Processor = "another processor" }, "another processor"),
                         (manifest.Key with { Runtime = "0.1" }, "ONNX Runtime 0.1"),
                     (manifest.Key with { Device = "cuda" }, "cuda"), (manifest.Key with { Form = 0 }, "another version"),
                         (manifest.Key with { Graph = "00" }, "changed"),
                 })
        {
            (manifest with { Key = other }).Save(Path.Combine(path, PreparedManifest.FileName));
            AssertRefused(model, variant, word);
        }
    }

    [Fact]
    public void A_model_that_was_replaced_is_not_answered_for_by_what_was_prepared_of_the_old_one()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        VariantPreparation.Prepare(model, variant, Options, Cancellation);
        var graph = model.GraphPath(variant);
        var bytes = File.ReadAllBytes(graph);
        bytes[^(bytes.Length / 2)] ^= 1;
        File.WriteAllBytes(graph, bytes);
        Assert.Contains("changed", PreparedFolder.Detect(model, variant, Options).Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, 60)]
    public void Weights_beside_the_graph_that_were_replaced_are_not_answered_for_either(int moreBytes, int laterSeconds)
    {
        const string File = "model.data";
        var model = Copy(TestModels.Nano);
        var path = Path.Combine(model.Path, File);
        void Write(int bytes, int seconds)
        {
            System.IO.File.WriteAllBytes(path, new byte[bytes]);
            System.IO.File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch.AddSeconds(seconds));
        }

        Write(100, 100);
        // The graph has its weights inside, as all small ones do; what is beside it counts all the same.
        var variant = Variant(model, Precision.Int8) with { DataFile = File };
        VariantPreparation.Prepare(model, variant, Options, Cancellation);
        Assert.Null(PreparedFolder.Detect(model, variant, Options).Refusal);

        Write(100 + moreBytes, 100 + laterSeconds);
        Assert.Contains("changed", PreparedFolder.Detect(model, variant, Options).Refusal, StringComparison.Ordinal);
        Write(100, 100);
        Assert.NotNull(PreparedFolder.Detect(model, variant, Options).Path);
    }

    [Fact]
    public void Weights_that_are_cut_short_and_graphs_that_are_damaged_are_not_used()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var path = VariantPreparation.Prepare(model, variant, Options, Cancellation).Path;
        var (weights, graph) = (Path.Combine(path, PreparedManifest.WeightsFile), Path.Combine(path, PreparedManifest.GraphFile));
        var whole = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, whole[..^1]);
        AssertRefused(model, variant, "not whole");
        File.WriteAllBytes(weights, whole);
        var bytes = File.ReadAllBytes(graph);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(graph, bytes);
        AssertRefused(model, variant, "damaged");
        File.Delete(graph);
        AssertRefused(model, variant, "not there");
        File.Delete(Path.Combine(path, PreparedManifest.FileName));
        AssertRefused(model, variant, null);
    }

    [Fact]
    public void Weights_of_the_right_length_with_other_content_are_found_out_by_their_answers()
    {
        var model = MakeWide(Precision.Int8);
        var variant = Variant(model, Precision.Int8);
        var weights = Path.Combine(VariantPreparation.Prepare(model, variant, Options, Cancellation).Path, PreparedManifest.WeightsFile);
        using (var file = File.Open(weights, FileMode.Open))
        {
            // The middle of what is packed; the hole and the embedding lie at the ends.
            file.Position = file.Length / 2;
            file.Write(new byte[64 << 10]);
        }

        AssertRefused(model, variant, "answers");
    }

    [Fact]
    public void Preparing_again_replaces_what_this_machine_had_and_leaves_what_others_have()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var path = VariantPreparation.Prepare(model, variant, Options, Cancellation).Path;
        var manifest = PreparedManifest.Find(Path.Combine(path, PreparedManifest.FileName))!;
        var (stale, others) = (path[..^1] + (path[^1] == '0' ? '1' : '0'), path[..^1] + (path[^1] == '2' ? '3' : '2'));
        Directory.Move(path, stale);
        (manifest with { Key = manifest.Key with { Runtime = "0.1" } }).Save(Path.Combine(stale, PreparedManifest.FileName));
        Directory.CreateDirectory(others);
        (manifest with { Key = manifest.Key with { Processor = "another" } }).Save(Path.Combine(others, PreparedManifest.FileName));
        Assert.Equal(path, VariantPreparation.Prepare(model, variant, Options, Cancellation).Path);
        Assert.Equal(new[] { others, path }.Order(StringComparer.Ordinal),
            Directory.EnumerateDirectories(Path.Combine(model.Path, PreparedFolder.Name)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_killed_processes_left_goes_and_what_others_are_at_stays()
    {
        var model = Copy(TestModels.Nano);
        var root = Path.Combine(model.Path, PreparedFolder.Name);
        string[] left =
            [.. new[] { "1", "2", "3" }.Select(
                one => Directory.CreateDirectory(Path.Combine(root, WorkFolder.Prefix + one, "done")).Parent!.FullName)];
        foreach (var one in left) File.WriteAllText(Path.Combine(one, "packed.bin"), "weights");
        // The first is of an r1 that held nothing.
        File.WriteAllText(Path.Combine(left[1], WorkFolder.LockFile), "");
        using (new FileStream(Path.Combine(left[2], WorkFolder.LockFile), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            var path = VariantPreparation.Prepare(model, Variant(model, Precision.Int8), Options, Cancellation).Path;
            Assert.Equal(new[] { left[2], path }.Order(StringComparer.Ordinal), Directory.EnumerateDirectories(root).Order(StringComparer.Ordinal));
            Assert.True(File.Exists(Path.Combine(left[2], "packed.bin")));
        }
    }

    [Fact]
    public void On_a_device_that_nothing_is_prepared_for_nothing_is_refused()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        VariantPreparation.Prepare(model, variant, Options, Cancellation);
        Assert.Equal(new PreparedState(null, null, null), PreparedFolder.Detect(model, variant, Options, ExecutionProvider.Cuda));
    }

    [Fact]
    public void What_can_not_be_read_of_a_prepared_graph_is_told_and_the_plain_model_loaded()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The file is Linux's own: it opens, and reading it fails as from a broken disk.");
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var graph = Path.Combine(VariantPreparation.Prepare(model, variant, Options, Cancellation).Path, PreparedManifest.GraphFile);
        File.Delete(graph);
        File.CreateSymbolicLink(graph, "/proc/self/mem");
        AssertRefused(model, variant, "Input/output error");
    }

    [Fact]
    public async Task The_warning_says_what_to_type_for_the_folder_that_it_is_about()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        var path = VariantPreparation.Prepare(model, variant, Options, Cancellation).Path;
        File.Delete(Path.Combine(path, PreparedManifest.GraphFile));
        List<string> warnings = [];
        await using ModelHost host =
            new([model], new ModelHostOptions { MemoryBytes = 1L << 32, Warn = warnings.Add }, Options, new EngineOptions(), TimeProvider.System);
        await host.LoadAsync(model.Name, new PrecisionPreference(variant.Precision), Cancellation);
        Assert.EndsWith($"; `r1 model prepare {model.Path}` prepares it for this machine.", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_wish_nothing_prepared_is_used()
    {
        var model = Copy(TestModels.Nano);
        var variant = Variant(model, Precision.Int8);
        VariantPreparation.Prepare(model, variant, Options, Cancellation);
        using var runner = VariantRunner.Open(model, variant, Options with { UsePrepared = false });
        Assert.False(runner.IsPrepared);
        Assert.Null(runner.PreparedRefusal);
    }

    private static PreparedVariant AssertSameAnswers(ModelFolder model, ModelVariant variant)
    {
        using var plain = VariantRunner.Open(model, variant, Options);
        Assert.False(plain.IsPrepared);
        var prepared = VariantPreparation.Prepare(model, variant, Options, Cancellation);
        using var runner = VariantRunner.Open(model, variant, Options);
        Assert.Null(runner.PreparedRefusal);
        Assert.Equal((true, true), (runner.IsPrepared, runner.HasExactPrefixes));
        foreach (var rows in (int[])[1, 2, 5, 16]) Assert.Equal(Generate(plain, rows), Generate(runner, rows));
        return prepared;
    }

    private static void AssertRefused(ModelFolder model, ModelVariant variant, string? word)
    {
        using var runner = VariantRunner.Open(model, variant, Options);
        Assert.False(runner.IsPrepared);
        if (word is null) Assert.Null(runner.PreparedRefusal);
        else Assert.Contains(word, runner.PreparedRefusal, StringComparison.Ordinal);
        Assert.NotEmpty(Generate(runner, 1));
    }

    /// <summary>All logits of ragged prompts and some steps, as bits.</summary>
    private static int[] Generate(OrtModelRunner runner, int rows)
    {
        List<int> bits = [];
        int[] lengths = [.. Enumerable.Range(0, rows).Select(row => 1 + (row * 7 % 23))];
        Run(runner.Resize(new KvShape(rows, 64), []));
        Run(runner.Prefill(0,
            [.. lengths.Select((length, row) => (ReadOnlyMemory<int>)Enumerable.Range(0, length).Select(t => Token(runner, row, t)).ToArray())]));
        for (var step = 0; ; step++)
        {
            for (var row = 0; row < rows; row++)
            {
                foreach (var logit in runner.Logits(row)) bits.Add(BitConverter.SingleToInt32Bits(logit));
            }

            if (step == Steps) return [.. bits];
            Run(runner.Decode([.. lengths.Select((_, row) => Token(runner, row, 40 + step))], [.. lengths.Select(length => length + step)]));
        }
    }

    private static int Token(OrtModelRunner runner, int row, int position) => ((row * 7919) + (position * 104_729) + 3) % runner.VocabularySize;

    private static void Run(StepOutcome outcome) => Assert.Equal(StepResult.Completed, outcome.Result);

    private static ModelVariant Variant(ModelFolder model, Precision precision) => model.Manifest.Variants.Single(one => one.Precision == precision);

    private ModelFolder MakeWide(Precision precision)
    {
        var checkpoint = Path.Combine(_folder.FullName, "checkpoint");
        Directory.CreateDirectory(checkpoint);
        SyntheticCheckpoint.Write(checkpoint, Wide with { Vocabulary = TestModels.Nano.Config.VocabularySize }, TestModels.NanoCheckpoint, seed: 1);
        return CheckpointBuilder.Build(checkpoint, Path.Combine(_folder.FullName, "wide"), "wide", TimeProvider.System, [precision],
            cancellation: Cancellation);
    }

    private ModelFolder Copy(ModelFolder model)
    {
        var target = Directory.CreateDirectory(Path.Combine(_folder.FullName, "model")).FullName;
        foreach (var file in Directory.EnumerateFiles(model.Path)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        return ModelFolder.Open(target);
    }
}
