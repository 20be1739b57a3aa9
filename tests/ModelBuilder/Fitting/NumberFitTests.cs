using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder.Fitting.Training;
using R1Serverless.Tests.ModelBuilder.Tensors;

namespace R1Serverless.Tests.ModelBuilder.Fitting;

/// <summary>Models of rows of numbers and of windows.</summary>
public sealed class NumberFitTests : IDisposable
{
    private readonly FitFolder _folder = new();

    [Fact]
    public async Task The_graph_has_the_head_that_was_fitted_over_raw_numbers()
    {
        var (values, classes) = Clouds.Draw(1, 2, 4, 20, 20, 20);
        for (var i = 0; i < values.Length; i += 4) values[i] = (values[i] * 1000) + 5_000_000;
        values[9] = float.NaN;
        var samples = FitFolder.Samples(values, classes, 4);
        var fit = await _folder.FitAsync(samples);
        var (_, head) = await _folder.TrainAsync(new NumberVectors(samples, NumberForm.Values), samples);
        using TensorRunner runner = new(_folder.Graph);
        var served = runner.Run([FitFolder.Numbers(values, classes.Length, 4)], "probabilities").Chunk(3).ToArray();
        Assert.Equal(classes.Length, served.Length);
        foreach (var (i, probabilities) in served.Index())
        {
            var expected = head.Probabilities(values.AsSpan(i * 4, 4));
            for (var c = 0; c < 3; c++) Assert.Equal(expected[c], probabilities[c], 1e-5);
        }

        Assert.Equal(60, fit.Report.Samples);
        Assert.True(fit.Report.Accuracy > 0.7, $"{fit.Report.Accuracy}");
    }

    [Fact]
    public async Task The_folder_is_a_model_that_says_what_it_takes_and_gives()
    {
        var (values, classes) = Clouds.Draw(2, 6, 3, 10, 10);
        await _folder.FitAsync(FitFolder.Samples(values, classes, 3));
        var model = ModelFolder.Open(_folder.Target);
        Assert.Equal((ModelKind.Tensors, "fitted", Precision.Fp32), (model.Manifest.Kind, model.Name, model.Manifest.Variants.Single().Precision));
        var input = model.Signature!.Inputs.Single();
        Assert.Equal(("values", TensorType.Float32), (input.Name, input.Type));
        Assert.Equal([-1, 3], input.Shape!);
        Assert.Equal([("logits", TensorType.Float32), ("probabilities", TensorType.Float32), ("label", TensorType.Bytes)],
            model.Signature.Outputs.Select(output => (output.Name, output.Type)));
        var config = JsonFields.Load(Path.Combine(_folder.Target, "config.json")).FindObject("id2label")!.Value;
        Assert.Equal(("class 0", "class 1"), (config.String("0"), config.String("1")));
        Assert.True(File.Exists(Path.Combine(_folder.Target, ModelFitter.ReportFile)));
        Assert.Equal([], Directory.EnumerateDirectories(_folder.Root, ".r1-new-*"));
    }

    [Fact]
    public async Task The_folder_of_the_folder_need_not_be_there()
    {
        var (values, classes) = Clouds.Draw(2, 6, 3, 10, 10);
        var target = Path.Combine(_folder.Root, "fresh", "data", "models", "fitted");
        await ModelFitter.FitAsync(FitFolder.Samples(values, classes, 3), null, target, "fitted", TimeProvider.System, new FitOptions(),
            cancellation: TestContext.Current.CancellationToken);
        Assert.Equal("fitted", ModelFolder.Open(target).Name);
    }

    [Fact]
    public async Task A_number_that_is_not_finite_gets_no_label_and_one_that_is_missing_does()
    {
        var (values, classes) = Clouds.Draw(2, 6, 3, 10, 10);
        await _folder.FitAsync(FitFolder.Samples(values, classes, 3));
        using var session = new InferenceSession(_folder.Graph);
        float[] rows = [float.PositiveInfinity, 0, 0, 0, float.NegativeInfinity, 0, 0, float.NaN, 0, 0, 0, 0];
        using var input = OrtValue.CreateTensorValueFromMemory(rows, [4, 3]);
        using RunOptions options = new();
        using var results = session.Run(options, ["values"], [input], ["probabilities", "label"]);
        var probabilities = results[0].GetTensorDataAsSpan<float>();
        Assert.Equal([true, true, false, false], new[] { 0, 1, 2, 3 }.Select(row => float.IsNaN(results[0].GetTensorDataAsSpan<float>()[row * 2])));
        var labels = results[1].GetStringTensorAsArray();
        Assert.Equal(["", ""], labels[..2]);
        Assert.All(labels[2..], label => Assert.StartsWith("class ", label, StringComparison.Ordinal));
        Assert.Equal(probabilities[6] > probabilities[7] ? "class 0" : "class 1", labels[3]);
    }

    [Fact]
    public async Task Windows_are_served_as_series_at_once()
    {
        var (values, classes) = Clouds.Draw(3, 6, 4, 12, 8);
        await _folder.FitAsync(FitFolder.Samples(values, classes, 2, 2));
        var series = ModelFolder.Open(_folder.Target).Series!;
        Assert.Equal(("values", 2, 2), (series.Input, series.Window!.Steps, series.EventSize));
        // The rarer label's probability is the score.
        Assert.Equal(("probabilities", 1, null), (series.Score!.Output, series.Score.Index, series.Score.Threshold));
        Assert.Equal(["class 0", "class 1"], series.Score.Labels);
    }

    /// <summary>Also of a lone row: it need not be run twice.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_row_has_the_same_bits_alone_and_in_company(bool isWindow)
    {
        var (values, classes) = Clouds.Draw(3, 2, 48, 20, 20);
        int[] shape = isWindow ? [16, 3] : [48];
        await _folder.FitAsync(FitFolder.Samples(values, classes, shape));
        using TensorRunner runner = new(_folder.Graph);
        var all = FitFolder.Numbers(values, [40, .. shape.Select(size => (long)size)]);
        foreach (var output in (string[])["logits", "probabilities"])
        {
            var together = runner.Run([all], output);
            var alone = Enumerable.Range(0, 40).SelectMany(i => runner.Run([GraphFile.Row(all, i)], output));
            Assert.Equal(together.Select(BitConverter.SingleToInt32Bits), alone.Select(BitConverter.SingleToInt32Bits));
        }

        var model = ModelFolder.Open(_folder.Target);
        await using var loaded = LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], new RuntimeOptions { Threads = 1 },
            new EngineOptions(), TimeProvider.System);
        Assert.True(loaded.Signature!.IsBatched, loaded.Signature.NotBatched);
    }

    /// <summary>By hand of one window of three steps and two features.</summary>
    [Fact]
    public async Task Statistics_of_a_window_are_those_that_are_named()
    {
        float[] values = [1, 10, 2, 40, 6, 10, .. new float[18]];
        var samples = FitFolder.Samples(values, [0, 0, 1, 1], 3, 2);
        var vectors = await new NumberVectors(samples, NumberForm.Statistics).ReadAsync(_folder.Root, new Progress<int>(), CancellationToken.None);
        float[] expected = [3, 20, MathF.Sqrt(14f / 3), MathF.Sqrt(200), 1, 10, 6, 40, 6, 10, 2.5f, 0];
        Assert.Equal(48, vectors.Length);
        Assert.Equal(expected, vectors.Take(12), (a, b) => Math.Abs(a - b) < 1e-4f);
        Assert.Equal(new float[12], vectors.Skip(12).Take(12));
    }

    /// <summary>A fault shows in a window's spread, wherever it begins; or at one step, whatever else happens.</summary>
    [Theory]
    [InlineData(true, "mean, deviation")]
    [InlineData(false, "all numbers")]
    public async Task Windows_are_told_apart_by_what_measures_better(bool isSpread, string says)
    {
        const int Steps = 12;
        Random random = new(5);
        List<float> values = [];
        var classes = Enumerable.Range(0, 80).Select(i => i % 2).ToArray();
        foreach (var c in classes)
        {
            for (var step = 0; step < Steps; step++)
                values.Add((float)(Clouds.Normal(random) * (isSpread && c == 1 ? 4 : 1)) + (!isSpread && step == 5 ? 3 * c : 0));
        }

        var fit = await _folder.FitAsync(FitFolder.Samples([.. values], classes, Steps, 1));
        Assert.StartsWith(says, fit.Report.Vectors, StringComparison.Ordinal);
        Assert.InRange(fit.Report.Accuracy, 0.85, 1);
        Assert.Contains($"Vectors are {fit.Report.Vectors}", fit.Notes[0], StringComparison.Ordinal);
        using TensorRunner runner = new(_folder.Graph);
        Assert.Equal(160, runner.Run([FitFolder.Numbers([.. values], 80, Steps, 1)], "probabilities").Length);
    }

    [Fact]
    public async Task Noise_is_called_so_and_numbers_beyond_float32_are_refused()
    {
        var (values, classes) = Clouds.Draw(6, 0, 5, 15, 15);
        Assert.Contains("not certainly better", Assert.Single((await _folder.FitAsync(FitFolder.Samples(values, classes, 5))).Notes));
        float[] large = [1e30f, 1, 1, 1, 2, 2, 2, 2];
        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => _folder.FitAsync(FitFolder.Samples(large, [0, 0, 1, 1], 2, 1)));
        Assert.Contains("line 1: the numbers are so large", fault.Message);
    }

    public void Dispose() => _folder.Dispose();
}
