using System.Diagnostics;
using System.Numerics.Tensors;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Models.Tokenization;

namespace R1Serverless.Tests.Engine.Encoders;

/// <summary>A published encoder.</summary>
public sealed class MiniLmTests : IAsyncLifetime
{
    private LocalInference _inference = null!;
    private LoadedVariant _model = null!;

    public ValueTask InitializeAsync()
    {
        var folder = ModelFolder.Open(MiniLm.Path);
        _model = LoadedVariant.OpenAlone(
            folder, folder.Manifest.Variants[0], new RuntimeOptions { Threads = 2 }, new EngineOptions(), TimeProvider.System);
        _inference = new LocalInference([_model]);
        return ValueTask.CompletedTask;
    }

    /// <summary>As its authors' page shows them.</summary>
    [Theory]
    [InlineData("That is a happy dog", 0.695)]
    [InlineData("That is a very happy person", 0.943)]
    [InlineData("Today is a sunny day", 0.257)]
    public async Task Similarities_are_those_that_were_published(string other, double similarity)
    {
        var vectors = await EmbedAsync("That is a happy person", other);
        Assert.All(vectors, vector => Assert.Equal(1, TensorPrimitives.Norm<float>(vector), 1e-5));
        Assert.Equal(similarity, TensorPrimitives.Dot<float>(vectors[0], vectors[1]), 0.001);
    }

    [Fact]
    public async Task A_text_has_the_same_bits_alone_and_in_company()
    {
        string[] texts = [.. TokenizerStrings.All.Where(text => text.Length is > 0 and < 120).Take(160), .. Enumerable.Repeat("The same text.", 8)];
        List<float[]> alone = [];
        foreach (var text in texts) alone.Add(Assert.Single(await EmbedAsync(text)));
        var before = _model.Load.Steps;
        var together = await EmbedAsync(texts);
        var runs = _model.Load.Steps - before;
        Assert.Equal(alone, together);
        Assert.True(runs < texts.Length, $"{runs} runs for {texts.Length} texts: none was shared.");
        var apart = await Task.WhenAll(texts.Select(text => EmbedAsync(text)));
        Assert.Equal(alone, apart.Select(vectors => Assert.Single(vectors)));
    }

    /// <summary>What is said of a request's texts is more than one waiting line holds.</summary>
    [Fact]
    public async Task As_many_texts_as_a_request_may_have_are_answered_in_order()
    {
        string[] texts = [.. Enumerable.Range(0, 2048).Select(i => $"{i % 64}")];
        var watch = Stopwatch.StartNew();
        var vectors = await EmbedAsync(texts);
        TestContext.Current.TestOutputHelper?.WriteLine($"{texts.Length} texts in {watch.Elapsed.TotalSeconds:0.00} s");
        for (var i = 64; i < texts.Length; i++) Assert.Equal(vectors[i % 64], vectors[i]);
        Assert.NotEqual(vectors[0], vectors[1]);
    }

    [Fact]
    public async Task Its_length_is_what_sentence_transformers_says()
    {
        var words = string.Join(' ', Enumerable.Repeat("word", 255));
        var error = (await RunAsync(new Prompt.Texts(TextTask.Embed, [new TextInput(words)]))).Error!;
        Assert.Equal(InferenceErrorKind.ContextLengthExceeded, error.Kind);
        Assert.Contains("257 tokens", error.Message);
        Assert.Contains("256", error.Message);
        Assert.Null((await RunAsync(new Prompt.Texts(TextTask.Embed, [new TextInput(words)]) { Truncation = TextTruncation.Right })).Error);
    }

    public ValueTask DisposeAsync() => _inference.DisposeAsync();

    private async Task<float[][]> EmbedAsync(params string[] texts)
    {
        TextInput[] inputs = [.. texts.Select(text => new TextInput(text))];
        var result = await RunAsync(new Prompt.Texts(TextTask.Embed, inputs) { Truncation = TextTruncation.Right });
        Assert.Null(result.Error);
        return [.. TensorFolder.Floats(result.Outputs![0]).Chunk(384)];
    }

    private async Task<InferenceResult> RunAsync(Prompt prompt)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = _model.Id, Prompt = prompt };
        ResultFold fold = new(request.Id);
        await foreach (var inferenceEvent in _inference.RunAsync(request, TestContext.Current.CancellationToken)) fold.Add(inferenceEvent);
        return fold.Result();
    }
}
