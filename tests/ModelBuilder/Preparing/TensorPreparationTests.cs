using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Preparing;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.ModelBuilder.Preparing;

/// <summary>Graphs that are no decoders, as `r1 model prepare` writes them.</summary>
public sealed class TensorPreparationTests
{
    private static readonly RuntimeOptions Options = new() { Threads = 2, Device = DeviceKind.Cpu };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_prepared_graph_answers_as_the_plain_one_bit_for_bit()
    {
        using var folder = TensorFolder.Product(outputs: 8_000);
        var plain = await AnswersAsync(folder, isPrepared: false);
        var model = ModelFolder.Open(folder.Path);
        var prepared = VariantPreparation.Prepare(model, model.Manifest.Variants[0], Options, Cancellation);
        Assert.False(prepared.IsKept);
        Assert.Equal(plain, await AnswersAsync(folder, isPrepared: true));
        Assert.True(VariantPreparation.Prepare(model, model.Manifest.Variants[0], Options, Cancellation).IsKept);
    }

    [Fact]
    public async Task A_graph_without_large_weights_can_be_prepared()
    {
        using var folder = TensorFolder.Recurrent(2);
        var model = ModelFolder.Open(folder.Path);
        VariantPreparation.Prepare(model, model.Manifest.Variants[0], Options, Cancellation);
        var opened = LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], Options, new EngineOptions(), TimeProvider.System);
        await using LocalInference inference = new([opened]);
        Assert.True(opened.IsPrepared, opened.PreparedRefusal);
    }

    [Fact]
    public async Task What_answers_otherwise_is_not_used_and_the_reason_is_told()
    {
        using var folder = TensorFolder.Product(outputs: 8_000);
        var plain = await AnswersAsync(folder, isPrepared: false);
        var model = ModelFolder.Open(folder.Path);
        var weights = Path.Combine(
            VariantPreparation.Prepare(model, model.Manifest.Variants[0], Options, Cancellation).Path, PreparedManifest.WeightsFile);
        await using (var file = File.OpenWrite(weights))
        {
            var length = file.Length;
            await file.WriteAsync(new byte[length], Cancellation);
        }

        Assert.Equal(plain, await AnswersAsync(folder, isPrepared: false, "it does not give the answers that the plain model gave"));
    }

    [Fact]
    public void A_graph_that_no_made_up_input_fits_is_refused()
    {
        using var folder = TensorFolder.Lookup(rows: 0);
        var model = ModelFolder.Open(folder.Path);
        var fault = Assert.Throws<ModelLoadException>(() =>
            VariantPreparation.Prepare(model, model.Manifest.Variants[0], Options, Cancellation));
        Assert.StartsWith("made-up inputs can't be run: ", fault.Message, StringComparison.Ordinal);
        Assert.Null(PreparedFolder.Detect(model, model.Manifest.Variants[0], Options).Path);
    }

    /// <summary>The bits of outputs for several numbers of rows.</summary>
    private static async Task<byte[][]> AnswersAsync(TensorFolder folder, bool isPrepared, string? refusal = null)
    {
        var opened = folder.Open();
        var model = LoadedVariant.OpenAlone(opened, opened.Manifest.Variants[0], Options, new EngineOptions(), TimeProvider.System);
        await using LocalInference inference = new([model]);
        Assert.Equal((isPrepared, refusal), (model.IsPrepared, model.PreparedRefusal));
        var random = new Random(1);
        List<byte[]> answers = [];
        foreach (var rows in (int[])[1, 2, 7, 16])
        {
            var input = TensorFolder.Floats("x", [rows, 64], [.. Enumerable.Range(0, rows * 64).Select(_ => random.NextSingle())]);
            ResultFold fold = new(RequestId.New());
            InferenceRequest request = new() { Id = RequestId.New(), Model = model.Id, Prompt = new Prompt.Tensors([input]) };
            await foreach (var inferenceEvent in inference.RunAsync(request, Cancellation)) fold.Add(inferenceEvent);
            answers.Add(Assert.Single(fold.Result().Outputs!).Data.ToArray());
        }

        return [.. answers];
    }
}
