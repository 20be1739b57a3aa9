using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Commands;

public sealed class EvaluationRecordTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("r1-record-").FullName;
    private readonly ModelFolder _folder;

    public EvaluationRecordTests()
    {
        foreach (var file in Directory.EnumerateFiles(TestModels.Nano.Path)) File.Copy(file, Path.Combine(_path, Path.GetFileName(file)));
        foreach (var precision in (Precision[])[Precision.Fp32, Precision.Int8, Precision.Int4])
            File.WriteAllText(Path.Combine(_path, $"{precision}.onnx"), "");
        var manifest =
            TestModels.Nano.Manifest with
            {
                Variants =
            [.. ((Precision[])[Precision.Fp32, Precision.Int8, Precision.Int4]).Select(EvaluationReports.Variant)]
            };
        manifest.Save(Manifest);
        _folder = ModelFolder.Open(_path);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Manifest => Path.Combine(_path, ModelManifest.FileName);

    [Fact]
    public async Task Evaluations_replace_those_of_their_device_and_leave_all_others()
    {
        var old = EvaluationReports.Of(Precision.Fp32, Precision.Int8);
        var elsewhere = old.Evaluation(old.Variants[1]) with { Device = "cuda", Accuracy = 0.25 };
        var former = old.Evaluation(old.Variants[1]) with { Accuracy = 0.125 };
        var int4 = old.Evaluation(old.Variants[0]) with { Accuracy = 0.75 };
        _folder.Manifest.WithEvaluation("Int8.onnx", elsewhere).WithEvaluation("Int8.onnx", former).WithEvaluation("Int4.onnx", int4).Save(Manifest);

        Assert.Equal($"Kept in {Manifest}.", await KeepAsync(_folder, old));
        var kept = ModelManifest.Load(Manifest).Variants;
        Assert.Equal([1.0], kept[0].Evaluations.Select(e => e.Accuracy));
        Assert.Equal([("cuda", 0.25), ("cpu", 0.5)], kept[1].Evaluations.Select(e => (e.Device, e.Accuracy)));
        Assert.Equal([0.75], kept[2].Evaluations.Select(e => e.Accuracy));
        var int8 = kept[1].Evaluations[1];
        Assert.Equal((2, 50.0, 0.999, 0.012, 1.2, 1_000_000L),
            (int8.Tasks, int8.AccuracyDrop, int8.TokenAgreement, int8.KlDivergence, int8.Tolerance, int8.MemoryBytes));
        Assert.Equal((200, 1234.5, EvaluationReports.Measured, false),
            (int8.TokensPerSecond[1], int8.TokensPerSecond[8], int8.Measured, int8.IsWithinTolerance));
    }

    [Fact]
    public async Task Who_reads_the_manifest_meanwhile_reads_the_old_one_to_its_end()
    {
        var before = File.ReadAllText(Manifest);
        using (var reader = new StreamReader(Manifest))
        {
            await KeepAsync(_folder, EvaluationReports.Of(Precision.Fp32, Precision.Int8));
            Assert.Equal(before, reader.ReadToEnd());
        }

        Assert.NotEqual(before, File.ReadAllText(Manifest));
        Assert.Equal([ModelManifest.FileName], Directory.EnumerateFiles(_path, $"{ModelManifest.FileName}*").Select(Path.GetFileName));
    }

    [Fact]
    public async Task Nothing_is_kept_of_a_model_that_was_built_again_meanwhile()
    {
        (_folder.Manifest with { Created = DateTimeOffset.UnixEpoch }).Save(Manifest);
        var error = await Assert.ThrowsAsync<InvalidModelException>(() => KeepAsync(_folder, EvaluationReports.Of(Precision.Fp32, Precision.Int8)));
        Assert.Contains("built again", error.Message, StringComparison.Ordinal);
        Assert.All(ModelManifest.Load(Manifest).Variants, v => Assert.Empty(v.Evaluations));
    }

    [Fact]
    public async Task A_variant_whose_requests_failed_is_left_out()
    {
        var report = EvaluationReports.Of(Precision.Fp32, Precision.Int8, new InferenceError(InferenceErrorKind.OutOfMemory, "full"));
        Assert.EndsWith("without the variants whose requests failed.", await KeepAsync(_folder, report), StringComparison.Ordinal);
        Assert.Equal([1, 0, 0], ModelManifest.Load(Manifest).Variants.Select(v => v.Evaluations.Count));
    }

    [Fact]
    public async Task Evaluations_that_end_at_once_are_all_kept()
    {
        string[] devices = [.. Enumerable.Range(0, 12).Select(i => $"device {i:00}")];
        await Parallel.ForEachAsync(devices, Cancellation,
            async (device, _) => await KeepAsync(_folder, EvaluationReports.Of(Precision.Fp32, Precision.Int8) with { Device = device }));
        Assert.Equal(devices, ModelManifest.Load(Manifest).Variants[1].Evaluations.Select(e => e.Device).Order());
    }

    [Fact]
    public async Task A_writer_waits_for_another_but_not_for_ever()
    {
        WatchedTime time = new();
        Task<string> kept, given;
        using (new FileStream(Path.Combine(_path, ".evaluation.lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            kept = EvaluationRecord.KeepAsync(_folder, EvaluationReports.Of(Precision.Fp32, Precision.Int8), time, Cancellation);
            await time.UntilAwaitedAsync(StoredEvaluations.Pause);
            time.Advance(TimeSpan.FromSeconds(9));
            await time.UntilAwaitedAsync(StoredEvaluations.Pause);
            Assert.False(kept.IsCompleted);
        }

        Assert.Equal(1, await time.PassAsync(StoredEvaluations.Pause, kept));
        Assert.StartsWith("Kept in ", await kept, StringComparison.Ordinal);
        using (new FileStream(Path.Combine(_path, ".evaluation.lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            given = EvaluationRecord.KeepAsync(_folder, EvaluationReports.Of(Precision.Fp32, Precision.Int8), time, Cancellation);
            Assert.Equal((StoredEvaluations.Patience / StoredEvaluations.Pause) + 1, await time.PassAsync(StoredEvaluations.Pause, given));
        }

        Assert.Contains("evaluation.lock' is not to be had", (await Assert.ThrowsAsync<TransportException>(() => given)).Message,
            StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    private static Task<string> KeepAsync(ModelFolder folder, ModelReport report) =>
        EvaluationRecord.KeepAsync(folder, report, TimeProvider.System, Cancellation);
}
