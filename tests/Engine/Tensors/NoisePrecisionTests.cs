using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Engine.Tensors;

/// <summary>A model whose second variant errs on noisy images: what an evaluation measured with noise, and the noise of a request, choose the
/// variant.</summary>
public sealed class NoisePrecisionTests : IDisposable
{
    private readonly TensorFolder _folder = TensorFolder.Clipped();

    [Fact]
    public async Task A_request_gets_the_fast_variant_as_far_as_its_noise_allows()
    {
        var folder = _folder.Open();
        EvaluationSettings settings = new() { Rows = [1], Rounds = 1 };
        Prompt[] samples = [.. Enumerable.Range(0, 40).Select(i => new Prompt.Tensors([Image(i)]))];
        var report = await new TensorEvaluation(folder, settings, TimeProvider.System)
            .RunAsync(samples, progress: null, TestContext.Current.CancellationToken);
        Assert.Equal(AnswerMeasure.Label, report.Measure);
        var (exact, fast) = (report.Variants[0].Evaluation, report.Variants[1].Evaluation);
        Assert.Equal((1, 0, 40), (exact.Accuracy, exact.AccuracyDrop, exact.Tasks));
        Assert.Equal(0, fast.AccuracyDrop);
        Assert.Equal(exact.Noise!.Select(point => point.Sigma), fast.Noise!.Select(point => point.Sigma));
        Assert.Equal(fast.Noise!.Select(point => point.Sigma).Order().Distinct(), fast.Noise!.Select(point => point.Sigma));
        Assert.All(exact.Noise!, point => Assert.Equal(0, point.AccuracyDrop));
        Assert.InRange(fast.Noise![^1].AccuracyDrop, 2, 100);

        // Speeds of graphs this small say nothing: the second is the faster one.
        await StoredEvaluations.UpdateAsync(
            folder, now => report.Variants.Aggregate(now, (manifest, one) => manifest.WithEvaluation(one.Variant.File,
                one.Evaluation with { TokensPerSecond = new Dictionary<int, double> { [8] = one.Variant.Precision == Precision.Int8 ? 200 : 100 } })),
            TimeProvider.System, TestContext.Current.CancellationToken);
        var measured = ModelFolder.Open(folder.Path);
        await using LocalInference inference = new([.. measured.Manifest.Variants.Select(variant =>
            LoadedVariant.OpenAlone(measured, variant, new RuntimeOptions(), new EngineOptions { WarmsUp = false }, TimeProvider.System))]);
        var clean = await ChoiceAsync(inference, Image(1), new PrecisionPreference());
        Assert.Equal(Precision.Int8, clean.Precision);
        Assert.Contains(" within 1.2 points at noise ", clean.Reason, StringComparison.Ordinal);
        Assert.Contains("200 requests/s", clean.Reason, StringComparison.Ordinal);
        var noisy = AddedNoiseTo(Image(1), 0.6);
        Assert.Equal(Precision.Fp32, (await ChoiceAsync(inference, noisy, new PrecisionPreference())).Precision);
        Assert.Equal(Precision.Int8, (await ChoiceAsync(inference, noisy, new PrecisionPreference(Precision.Int8))).Precision);
        Assert.Equal(Precision.Int8, (await ChoiceAsync(inference, noisy, new PrecisionPreference(MaxAccuracyDrop: 100))).Precision);
        var louder = await ChoiceAsync(inference, AddedNoiseTo(Image(1), 5), new PrecisionPreference(MaxAccuracyDrop: 100));
        Assert.Equal(Precision.Fp32, louder.Precision);
        Assert.Contains("more noise than was measured", louder.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, 1.0)]
    [InlineData(0.0, 1.0)]
    [InlineData(2.0, 1.0)]
    [InlineData(3.0, 2.0)]
    [InlineData(4.0, 3.0)]
    [InlineData(6.0, 9.0)]
    [InlineData(6.1, null)]
    public void Between_two_levels_the_drop_is_in_proportion(double? sigma, double? drop) =>
        Assert.Equal(drop, Evaluation(1, new(2, 1), new(4, 3), new(6, 9)).DropAt(sigma));

    [Fact]
    public void Without_levels_noise_does_not_count() => Assert.Equal(0.5, Evaluation(0.5).DropAt(7));

    public void Dispose() => _folder.Dispose();

    private static VariantEvaluation Evaluation(double drop, params NoisePoint[] noise) => new()
    {
        Device = "cpu", Measured = default, Tasks = 1, Accuracy = 1, AccuracyDrop = drop, TokenAgreement = 1, KlDivergence = 0, Tolerance = 1.2,
        TokensPerSecond = new Dictionary<int, double>(), MemoryBytes = 0, Noise = noise,
    };

    private static async Task<VariantChoice> ChoiceAsync(LocalInference inference, Tensor input, PrecisionPreference precision)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = inference.Variants[0].Id, Prompt = new Prompt.Tensors([input]), Precision = precision,
        };
        VariantChoice? choice = null;
        await foreach (var inferenceEvent in inference.RunAsync(request, TestContext.Current.CancellationToken))
        {
            Assert.IsNotType<InferenceEvent.Failed>(inferenceEvent);
            if (inferenceEvent is InferenceEvent.Admitted admitted) choice = admitted.Variant;
        }

        return choice!;
    }

    private static Tensor AddedNoiseTo(Tensor image, double share) => R1Serverless.Engine.Tensors.AddedNoise.To([image], share, 3)[0];

    /// <summary>Rises a little to the right or to the left, and much downwards; within -1 and 1.</summary>
    private static Tensor Image(int number)
    {
        var across = number % 2 == 0 ? 0.02f : -0.02f;
        return TensorFolder.Floats("x", [1, 1, 16, 16],
            [.. Enumerable.Range(0, 256).Select(i => (((i % 16) - 7.5f) * across / 8) + (((i / 16) - 7.5f) / 8))]);
    }
}
