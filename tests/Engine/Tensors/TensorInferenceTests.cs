using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;

namespace R1Serverless.Tests.Engine.Tensors;

/// <summary>Graphs that are no decoders, through the engine.</summary>
public sealed class TensorInferenceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_graph_s_outputs_are_given()
    {
        using var folder = TensorFolder.AddOne();
        await using var inference = Open(folder, out var model);
        Assert.True(model.Signature!.IsBatched);
        var (outputs, error) = await RunAsync(inference, model, TensorFolder.Floats("x", [2, 3], 1, 2, 3, 4, 5, 6));
        Assert.Null(error);
        var output = Assert.Single(outputs);
        Assert.Equal(("y", TensorType.Float32), (output.Name, output.Type));
        Assert.Equal([2, 3], output.Shape);
        Assert.Equal([2, 3, 4, 5, 6, 7], TensorFolder.Floats(output));
    }

    [Fact]
    public async Task Many_at_once_get_each_their_own_with_the_bits_that_they_have_alone()
    {
        using var folder = TensorFolder.Product();
        await using var inference = Open(folder, out var model);
        var random = new Random(1);
        Tensor[] inputs = [.. Enumerable.Range(0, 200).Select(i =>
            TensorFolder.Floats("x", [1 + (i % 3), 64], [.. Enumerable.Range(0, (1 + (i % 3)) * 64).Select(_ => random.NextSingle())]))];
        List<byte[]> alone = [];
        foreach (var input in inputs) alone.Add(Assert.Single((await RunAsync(inference, model, input)).Outputs).Data.ToArray());

        var together = await Task.WhenAll(inputs.Select(input => RunAsync(inference, model, input)));
        Assert.Equal(alone, together.Select(one => Assert.Single(one.Outputs).Data.ToArray()));
        Assert.True(model.Load.Steps < 400, $"{model.Load.Steps} runs for 400 requests: none was shared.");
    }

    [Fact]
    public async Task Rows_that_mix_are_never_run_together()
    {
        using var folder = TensorFolder.Mixing();
        await using var inference = Open(folder, out var model);
        Assert.Contains("in company", model.Signature!.NotBatched);
        var answers =
            await Task.WhenAll(Enumerable.Range(0, 20).Select(i => RunAsync(inference, model, TensorFolder.Floats("x", [1, 4], i, i, i, i))));
        Assert.All(answers, answer => Assert.Equal([0, 0, 0, 0], TensorFolder.Floats(Assert.Single(answer.Outputs))));
    }

    [Fact]
    public async Task A_fault_in_a_run_is_that_of_the_guilty_alone()
    {
        using var folder = TensorFolder.Lookup();
        await using var inference = Open(folder, out var model);
        var inputs = Enumerable.Range(0, 40).Select(i => TensorFolder.Longs("i", i % 10 == 3 ? 99 : i % 10));
        var answers = await Task.WhenAll(inputs.Select(input => RunAsync(inference, model, input)));
        for (var i = 0; i < answers.Length; i++)
        {
            if (i % 10 == 3)
                Assert.Equal((InferenceErrorKind.InvalidRequest, "inputs"), (answers[i].Error!.Kind, answers[i].Error!.Field));
            else Assert.Equal([i % 10 * 2, (i % 10 * 2) + 1], TensorFolder.Floats(Assert.Single(answers[i].Outputs)));
        }
    }

    [Fact]
    public async Task Texts_are_tensors_too()
    {
        using var folder = TensorFolder.Echo();
        await using var inference = Open(folder, out var model);
        Tensor texts = new("t", TensorType.Bytes, [2], (byte[])[2, 0, 0, 0, .. "hé"u8[..2], 0, 0, 0, 0]);
        var output = Assert.Single((await RunAsync(inference, model, texts)).Outputs);
        Assert.Equal(texts.Data.ToArray(), output.Data.ToArray());
        Assert.Equal([2], output.Shape);
    }

    [Fact]
    public async Task A_fixed_batch_is_served_one_by_one_and_said()
    {
        using var folder = TensorFolder.Fixed();
        await using var inference = Open(folder, out var model);
        Assert.Equal("the first dimension of 'x' is fixed to 1", model.Signature!.NotBatched);
        var (outputs, _) = await RunAsync(inference, model, TensorFolder.Floats("x", [1, 2], 1, 2));
        Assert.Equal([-1, -2], TensorFolder.Floats(Assert.Single(outputs)));
    }

    [Fact]
    public async Task No_row_at_all_gives_no_row()
    {
        using var folder = TensorFolder.AddOne();
        await using var inference = Open(folder, out var model);
        var output = Assert.Single((await RunAsync(inference, model, TensorFolder.Floats("x", [0, 3]))).Outputs);
        Assert.Equal([0, 3], output.Shape);
        Assert.Equal(0, output.Data.Length);
    }

    public static TheoryData<Tensor, string, string> Wrong => new()
    {
        { TensorFolder.Floats("z", [1, 4], 1, 2, 3, 4), "inputs.z", "no input 'z'; it takes 'x'" },
        { TensorFolder.Floats("x", [1, 3], 1, 2, 3), "inputs.x", "must be FP32 [-1,4], but is FP32 [1,3]" },
        { TensorFolder.Floats("x", [4], 1, 2, 3, 4), "inputs.x", "must be FP32 [-1,4], but is FP32 [4]" },
        { new Tensor("x", TensorType.Int32, [1, 4], new byte[16]), "inputs.x", "must be FP32 [-1,4], but is INT32 [1,4]" },
        { TensorFolder.Floats("x", [1025, 4], new float[1025 * 4]), "inputs.x", "at most 1024 rows" },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public async Task Wrong_tensors_are_refused_by_name(Tensor input, string field, string words)
    {
        using var folder = TensorFolder.Mixing();
        using var batched = TensorFolder.AddOne();
        await using var inference = Open(input.Shape[0] > 1024 ? batched : folder, out var model);
        var (_, error) = await RunAsync(inference, model, input);
        Assert.Equal((InferenceErrorKind.InvalidRequest, field), (error!.Kind, error.Field));
        Assert.Contains(words, error.Message);
    }

    [Fact]
    public async Task Text_is_not_asked_of_tensors_nor_tensors_of_a_decoder()
    {
        using var folder = TensorFolder.AddOne();
        await using var inference = Open(folder, out var model);
        var error = await FailureAsync(inference, new() { Id = RequestId.New(), Model = model.Id, Prompt = new Prompt.Text("hello") });
        Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (error.Kind, error.Field));

        await using LocalInference decoder =
            new([LoadedVariant.OpenAlone(TestModels.Nano, TestModels.Nano.Manifest.Variants[0], new RuntimeOptions(), new EngineOptions(),
                TimeProvider.System)]);
        error = await FailureAsync(decoder, Request(TestModels.Nano.Name, TensorFolder.Floats("x", [1], 1)));
        Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (error.Kind, error.Field));
    }

    [Fact]
    public async Task A_cancelled_request_is_not_run()
    {
        using var folder = TensorFolder.AddOne();
        await using var inference = Open(folder, out var model);
        using CancellationTokenSource gone = new();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in inference.RunAsync(Request(model.Id, TensorFolder.Floats("x", [1, 1], 1)), gone.Token)) { }
        });
        await Eventually.HoldsAsync(() => model.Load is { Running: 0, Waiting: 0 }, "nothing waits");
        Assert.Null((await RunAsync(inference, model, TensorFolder.Floats("x", [1, 1], 1))).Error);
    }

    [Fact]
    public async Task Images_for_a_folder_that_cannot_be_followed_are_refused_with_the_field()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", """{"size":4,"do_pad":true}""");
        await using var inference = Open(folder, out var model);
        var (_, error) = await RunAsync(inference, model, new Tensor("pixel_values", TensorType.Bytes, [1], new byte[] { 1, 0, 0, 0, 65 }));
        Assert.Equal((InferenceErrorKind.InvalidRequest, "inputs.pixel_values"), (error!.Kind, error.Field));
        Assert.Contains("do_pad", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outputs_beyond_the_limit_are_refused_by_name_and_the_model_goes_on()
    {
        const int Width = 4 << 20;
        using var folder = TensorFolder.Expanded(Width);
        await using var inference = Open(folder, out var model);
        // 16 MiB a row.
        var (outputs, error) = await RunAsync(inference, model, TensorFolder.Floats("x", [2, 1], 1, 2));
        Assert.Null(error);
        Assert.Equal(2L * Width * sizeof(float), Assert.Single(outputs).Data.Length);
        (outputs, error) = await RunAsync(inference, model, TensorFolder.Floats("x", [9, 1], new float[9]));
        Assert.Empty(outputs);
        Assert.Equal((InferenceErrorKind.InvalidRequest, "inputs"), (error!.Kind, error.Field));
        Assert.Contains("128 MiB", error.Message, StringComparison.Ordinal);
        (outputs, _) = await RunAsync(inference, model, TensorFolder.Floats("x", [1, 1], 3));
        Assert.Equal(3, TensorFolder.Floats(Assert.Single(outputs))[^1]);
    }

    private static LocalInference Open(TensorFolder folder, out LoadedVariant model)
    {
        var opened = folder.Open();
        RuntimeOptions runtime = new() { Threads = 2 };
        model = LoadedVariant.OpenAlone(opened, opened.Manifest.Variants[0], runtime, new EngineOptions(), TimeProvider.System);
        return new LocalInference([model]);
    }

    private static InferenceRequest Request(string model, params Tensor[] inputs) =>
        new() { Id = RequestId.New(), Model = model, Prompt = new Prompt.Tensors(inputs) };

    private static async Task<(IReadOnlyList<Tensor> Outputs, InferenceError? Error)> RunAsync(LocalInference inference, LoadedVariant model,
        Tensor input)
    {
        ResultFold fold = new(RequestId.New());
        await foreach (var inferenceEvent in inference.RunAsync(Request(model.Id, input), Cancellation)) fold.Add(inferenceEvent);
        var result = fold.Result();
        return (result.Outputs ?? [], result.Error);
    }

    private static async Task<InferenceError> FailureAsync(LocalInference inference, InferenceRequest request)
    {
        ResultFold fold = new(request.Id);
        await foreach (var inferenceEvent in inference.RunAsync(request, Cancellation)) fold.Add(inferenceEvent);
        return fold.Result().Error!;
    }
}
