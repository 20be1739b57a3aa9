using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.Encoders;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.ModelBuilder.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.ModelBuilder.Fitting;

/// <summary>Models of texts: an encoder's graph, what its folder says of pooling, and a head in one.</summary>
public sealed class TextFitTests : IDisposable
{
    private const string Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##d\n.\n";

    private static readonly string[] Texts = ["a", "a a", "a b a", "a a a a", "b a a", "c", "c c", "c b c", "c c c c", "c c b"];

    private readonly FitFolder _folder = new();
    private readonly TensorFolder _encoder = TensorFolder.Encoder().With("vocab.txt", Vocabulary);

    [Theory]
    [InlineData("mean")]
    [InlineData("cls")]
    [InlineData("max")]
    [InlineData("mean_sqrt_len")]
    [InlineData("weightedmean")]
    [InlineData("lasttoken")]
    [InlineData("mean\",\"max")]
    public async Task Pooling_in_the_graph_is_that_of_the_folder(string pooling)
    {
        SentenceFiles.Write(_encoder.Path, normalizes: true, maxLength: 32, $$"""{"pooling_mode":["{{pooling}}"]}""");
        var samples = Samples();
        var vectors = await new EncoderVectors(samples, _encoder.Open(), truncates: false).ReadAsync(_folder.Root, new Progress<int>(), Token);
        var expected = await EmbedAsync(_encoder.Open(), Texts);
        Assert.Equal(expected.Length, vectors.Length);
        Assert.Equal(expected, vectors, (a, b) => Math.Abs(a - b) < 1e-5f);
    }

    [Theory]
    [InlineData("mean")]
    [InlineData("max")]
    [InlineData("weightedmean")]
    [InlineData("lasttoken")]
    public void Tokens_that_the_mask_leaves_out_count_for_nothing(string pooling)
    {
        SentenceFiles.Write(_encoder.Path, normalizes: true, maxLength: 32, $$"""{"pooling_mode":"{{pooling}}"}""");
        var folder = _encoder.Open();
        PooledGraph.Of(SourceGraph.Read(folder.GraphPath(folder.Manifest.Variants[0])), folder.Encoder!)
            .Write(_folder.Root, "pooled.onnx", null, Token);
        using TensorRunner runner = new(Path.Combine(_folder.Root, "pooled.onnx"));
        var plain = runner.Run([Ids("input_ids", 2, 5, 7, 3), Ids("attention_mask", 1, 1, 1, 1)]);
        var padded = runner.Run([Ids("input_ids", 2, 5, 7, 3, 9, 9), Ids("attention_mask", 1, 1, 1, 1, 0, 0)]);
        Assert.Equal(plain, padded, (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.Equal(1, TensorPrimitives.Norm<float>(plain), 1e-5);
    }

    [Fact]
    public async Task The_folder_classifies_texts_as_the_head_does()
    {
        var (samples, encoder) = (Samples(), _encoder.Open());
        var fit = await _folder.FitAsync(samples, encoder);
        var (vectors, head) = await _folder.TrainAsync(new EncoderVectors(samples, encoder, truncates: false), samples);
        var model = ModelFolder.Open(_folder.Target);
        Assert.Equal((TextTask.Classify, "logits"), (model.Encoder!.Task, model.Encoder.Output));
        Assert.Equal(["first", "second"], model.Encoder.Labels);
        var scores = TensorFolder.Floats((await AskAsync(model, TextTask.Classify, Texts)).Outputs![0]);
        for (var i = 0; i < Texts.Length; i++)
        {
            var expected = head.Probabilities(vectors.AsSpan(i * 4, 4));
            Assert.Equal(expected[0], scores[2 * i], 1e-5);
            Assert.Equal(expected[1], scores[(2 * i) + 1], 1e-5);
        }

        Assert.Equal(10, fit.Report.Samples);
        Assert.True(fit.EncodeTime > TimeSpan.Zero && fit.FitTime > TimeSpan.Zero);
    }

    [Fact]
    public async Task A_text_that_is_too_long_is_refused_by_its_line_or_cut()
    {
        SentenceFiles.Write(_encoder.Path, normalizes: true, maxLength: 5, """{"pooling_mode":"mean"}""");
        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => _folder.FitAsync(Samples(), _encoder.Open()));
        Assert.Equal(
            $"line 4: The text has 6 tokens, and '{_encoder.Open().Name}' reads 5 at most: shorten it, or let such texts be cut with --truncate.",
            fault.Message);
        await _folder.FitAsync(Samples(), _encoder.Open(), new FitOptions { Truncates = true });
        Assert.Equal(5, ModelFolder.Open(_folder.Target).Encoder!.MaxLength);
    }

    [Fact]
    public async Task What_is_no_encoder_is_refused()
    {
        using var other = TensorFolder.AddOne();
        using var classifier = TensorFolder.Classifier(2).With("vocab.txt", Vocabulary)
            .With("config.json", """{"architectures":["BertForSequenceClassification"]}""");
        foreach (var folder in (TensorFolder[])[other, classifier])
        {
            var fault = await Assert.ThrowsAsync<InvalidModelException>(() => _folder.FitAsync(Samples(), folder.Open()));
            Assert.Contains("makes no vectors of texts", fault.Message);
        }

        Assert.False(Directory.Exists(_folder.Target));
    }

    /// <summary>A published encoder, in two precisions: what is not needed of it is not kept, and each answer has the same bits alone and in
    /// company.</summary>
    [Fact]
    public async Task MiniLM_tells_topics_apart_that_it_was_shown_a_few_texts_of()
    {
        var built = Path.Combine(_folder.Root, "minilm");
        string[] files = [.. ((string[])["vocab.txt", "config.json"]).Select(file => Path.Combine(MiniLm.Path, file))];
        TensorModelBuilder.Build(Path.Combine(MiniLm.Path, "model.onnx"), built, "minilm", TimeProvider.System,
            new TensorBuildOptions { Precisions = [Precision.Fp32, Precision.Int8], Files = files }, cancellation: Token);
        SentenceFiles.Write(built, normalizes: true, maxLength: 256, """{"pooling_mode_mean_tokens":true}""");
        (string Label, string[] Texts)[] topics =
        [
            ("sport", ["The keeper saved a penalty", "She won the marathon", "Their striker scored twice", "The match ended in a draw"]),
            ("food", ["Stir the soup and add salt", "The bread is still warm", "We had pasta with tomatoes", "Bake the cake for an hour"]),
            ("money", ["The bank raised its rates", "Shares fell at the close", "He paid off the loan", "Inflation eats our savings"]),
        ];
        string[] texts = [.. topics.SelectMany(topic => topic.Texts)], labels = [.. topics.SelectMany(topic => topic.Texts.Select(_ => topic.Label))];
        TextSamples samples = new([.. Enumerable.Range(1, 12)], labels, texts, []);
        var fit = await _folder.FitAsync(samples, ModelFolder.Open(built));
        var model = ModelFolder.Open(_folder.Target);
        Assert.Equal([Precision.Fp32, Precision.Int8], model.Manifest.Variants.Select(variant => variant.Precision));
        Assert.True(new FileInfo(_folder.Graph).Length < new FileInfo(Path.Combine(built, "model.onnx")).Length + 100_000);
        string[] others = ["The referee blew the whistle", "Fry the onions in butter", "The company issued new bonds"];
        foreach (var variant in model.Manifest.Variants)
        {
            var together = TensorFolder.Floats((await AskAsync(model, TextTask.Classify, others, variant)).Outputs![0]);
            Assert.Equal(["sport", "food", "money"], together.Chunk(3).Select(row => model.Encoder!.Labels[TensorPrimitives.IndexOfMax<float>(row)]));
            var alone = new List<float>();
            foreach (var text in others) alone.AddRange(TensorFolder.Floats((await AskAsync(model, TextTask.Classify, [text], variant)).Outputs![0]));
            Assert.Equal(together, alone);
        }

        Assert.True(fit.Report.Accuracy > 0.6, $"{fit.Report.Accuracy}");
    }

    public void Dispose()
    {
        _folder.Dispose();
        _encoder.Dispose();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static TextSamples Samples() =>
        new([.. Enumerable.Range(1, Texts.Length)], [.. Texts.Select((_, i) => i < 5 ? "first" : "second")], Texts, []);

    private static Tensor Ids(string name, params long[] ids) =>
        new(name, TensorType.Int64, [1, ids.Length], MemoryMarshal.AsBytes<long>(ids).ToArray());

    private static async Task<float[]> EmbedAsync(ModelFolder folder, string[] texts) =>
        TensorFolder.Floats((await AskAsync(folder, TextTask.Embed, texts)).Outputs![0]);

    private static async Task<InferenceResult> AskAsync(ModelFolder folder, TextTask task, string[] texts, ModelVariant? variant = null)
    {
        await using LocalInference inference = new([
            LoadedVariant.OpenAlone(folder, variant ?? folder.Manifest.Variants[0], new RuntimeOptions { Threads = 1 },
                new EngineOptions { WarmsUp = false }, TimeProvider.System)]);
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = folder.Name, Prompt = new Prompt.Texts(task, [.. texts.Select(text => new TextInput(text))]),
        };
        ResultFold fold = new(request.Id);
        await foreach (var one in inference.RunAsync(request, Token)) fold.Add(one);
        Assert.Null(fold.Result().Error);
        return fold.Result();
    }
}
