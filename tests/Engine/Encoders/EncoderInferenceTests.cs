using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Engine.Encoders;

/// <summary>Texts through encoders whose every number is known.</summary>
public sealed class EncoderInferenceTests
{
    /// <summary>By id: [CLS] is 2, [SEP] is 3, a is 5.</summary>
    private const string Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##d\n.\n";

    /// <summary>Rows of the table for [CLS] a b [SEP].</summary>
    private static readonly float[][] Rows = [.. ((int[])[2, 5, 6, 3]).Select(id => Enumerable.Range(0, 4).Select(i => (10f * id) + i).ToArray())];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, Func<float[], double>> Poolings => new()
    {
        { "cls_token", column => column[0] },
        { "max_tokens", column => column.Max() },
        { "mean_tokens", column => column.Average() },
        { "mean_sqrt_len_tokens", column => column.Sum() / Math.Sqrt(4) },
        { "weightedmean_tokens", column => column.Select((value, i) => value * (i + 1)).Sum() / 10 },
        { "lasttoken", column => column[^1] },
    };

    [Theory]
    [MemberData(nameof(Poolings), DisableDiscoveryEnumeration = true)]
    public async Task Tokens_become_one_vector_as_the_folder_says(string mode, Func<float[], double> expected)
    {
        using var folder = Encoder($$"""{"pooling_mode_{{mode}}":true}""", normalizes: false);
        await using var inference = Open(folder, out var model);
        var vector = TensorFolder.Floats(Assert.Single(await RunAsync(inference, model, TextTask.Embed, new TextInput("a b"))));
        for (var i = 0; i < 4; i++) Assert.Equal(expected([.. Rows.Select(row => row[i])]), vector[i], 1e-4);
    }

    [Fact]
    public async Task Several_poolings_stand_one_behind_the_other()
    {
        using var folder = Encoder("""{"pooling_mode_max_tokens":true,"pooling_mode_cls_token":true}""", normalizes: false);
        await using var inference = Open(folder, out var model);
        var vector = Assert.Single(await RunAsync(inference, model, TextTask.Embed, new TextInput("a b")));
        Assert.Equal([1, 8], vector.Shape);
        Assert.Equal([.. Rows[0], .. Rows[2]], TensorFolder.Floats(vector));
    }

    [Fact]
    public async Task Without_its_files_the_tokens_mean_is_the_vector()
    {
        using var folder = TensorFolder.Encoder().With("vocab.txt", Vocabulary);
        await using var inference = Open(folder, out var model);
        var vectors = Assert.Single(await RunAsync(inference, model, TextTask.Embed, new TextInput("a b"), new TextInput("a")));
        Assert.Equal(("embeddings", TensorType.Float32), (vectors.Name, vectors.Type));
        Assert.Equal([2, 4], vectors.Shape);
        Assert.Equal([.. Enumerable.Range(0, 4).Select(i => Rows.Average(row => row[i]))], TensorFolder.Floats(vectors)[..4]);
    }

    [Fact]
    public async Task Vectors_have_the_length_of_one_also_when_they_are_cut()
    {
        using var folder = Encoder("""{"pooling_mode":"mean"}""", normalizes: true);
        await using var inference = Open(folder, out var model);
        foreach (var width in (int?[])[null, 4, 3, 1])
        {
            var prompt = new Prompt.Texts(TextTask.Embed, [new TextInput("a b")]) { Dimensions = width };
            var vector = TensorFolder.Floats(Assert.Single((await RunAsync(inference, model, prompt)).Outputs!));
            double[] mean = [.. Enumerable.Range(0, width ?? 4).Select(i => Rows.Average(row => (double)row[i]))];
            var length = Math.Sqrt(mean.Sum(value => value * value));
            Assert.Equal(mean.Length, vector.Length);
            for (var i = 0; i < mean.Length; i++) Assert.Equal(mean[i] / length, vector[i], 1e-6);
        }

        var refused = await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, [new TextInput("a")]) { Dimensions = 5 });
        Assert.Equal((InferenceErrorKind.InvalidRequest, "dimensions"), (refused.Error!.Kind, refused.Error.Field));
    }

    [Fact]
    public async Task A_text_that_is_too_tooLongis_refused_by_its_number_or_cut_where_that_is_asked_for()
    {
        using var folder = Encoder("""{"pooling_mode_max_tokens":true}""", normalizes: false, maxLength: 4);
        await using var inference = Open(folder, out var model);
        var tooLong = new Prompt.Texts(TextTask.Embed, [new TextInput("a"), new TextInput("a b c")]);
        var refused = (await RunAsync(inference, model, tooLong)).Error!;
        Assert.Equal((InferenceErrorKind.ContextLengthExceeded, "input[1]"), (refused.Kind, refused.Field));
        Assert.Contains("5 tokens", refused.Message);
        Assert.Contains("4 at most", refused.Message);

        var fits = await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, [new TextInput("a"), new TextInput("a b")]));
        var right = await RunAsync(inference, model, tooLong with { Truncation = TextTruncation.Right });
        Assert.Equal(fits.Outputs![0].Data.ToArray(), right.Outputs![0].Data.ToArray());
        Assert.Equal(7, right.Usage!.PromptTokens);
        var left = await RunAsync(inference, model, tooLong with { Truncation = TextTruncation.Left });
        Assert.Equal(70f, TensorFolder.Floats(left.Outputs![0])[4]);
    }

    [Fact]
    public async Task Token_ids_are_run_as_they_are()
    {
        using var folder = Encoder("""{"pooling_mode_mean_tokens":true}""", normalizes: false);
        await using var inference = Open(folder, out var model);
        var vector = Assert.Single(await RunAsync(inference, model, TextTask.Embed, new TextInput(null, Tokens: [5])));
        Assert.Equal([50, 51, 52, 53], TensorFolder.Floats(vector));
        foreach (var id in (int[])[10, 30521, int.MaxValue])
        {
            var error = (await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, [new TextInput(null, Tokens: [5, id])]))).Error!;
            Assert.Equal((InferenceErrorKind.InvalidRequest, "input[0]"), (error.Kind, error.Field));
            Assert.Contains($"{id}", error.Message);
        }
    }

    [Fact]
    public async Task The_default_prompt_stands_before_every_text()
    {
        using var folder = Encoder("""{"pooling_mode_mean_tokens":true}""", normalizes: false)
            .With("config_sentence_transformers.json", """{"prompts":{"query":"a ","other":"b "},"default_prompt_name":"query"}""");
        using var plain = Encoder("""{"pooling_mode_mean_tokens":true}""", normalizes: false)
            .With("config_sentence_transformers.json", """{"prompts":{"query":"a "},"default_prompt_name":null}""");
        await using var inference = Open(folder, out var model);
        await using var without = Open(plain, out var other);
        var expected = Assert.Single(await RunAsync(without, other, TextTask.Embed, new TextInput("a b")));
        Assert.Equal(expected.Data.ToArray(), Assert.Single(await RunAsync(inference, model, TextTask.Embed, new TextInput("b"))).Data.ToArray());
    }

    [Theory]
    [InlineData(null, 1.0)]
    [InlineData("single_label_classification", 1.0)]
    [InlineData("multi_label_classification", null)]
    public async Task Labels_have_probabilities_as_the_configuration_says(string? type, double? sum)
    {
        var problem = type is null ? "null" : $"\"{type}\"";
        using var folder = Classifier(3, $$"""{"id2label":{"0":"low","1":"mid","2":"höch"},"problem_type":{{problem}}}""");
        await using var inference = Open(folder, out var model);
        var outputs = await RunAsync(inference, model, TextTask.Classify, new TextInput("a"), new TextInput("a", "b"));
        Assert.Equal([2, 3], outputs[0].Shape);
        var scores = TensorFolder.Floats(outputs[0]);
        Assert.True(scores[0] <= scores[1] && scores[1] <= scores[2]);
        if (sum is { } one) Assert.Equal(one, scores[..3].Sum(), 1e-5);
        else Assert.All(scores, score => Assert.InRange(score, 0.99f, 1f));
        Assert.Equal(["low", "mid", "höch"], Texts(outputs[1]));

        var raw = await RunAsync(inference, model, new Prompt.Texts(TextTask.Classify, [new TextInput("a")]) { RawScores = true });
        // The mean of [CLS] a [SEP], 2, 5 and 3.
        Assert.Equal([100f / 3, 103f / 3, 106f / 3], TensorFolder.Floats(raw.Outputs![0]), new Near(1e-3f));
    }

    [Fact]
    public async Task A_reranker_scores_pairs()
    {
        using var folder = Classifier(1, """{"id2label":{"0":"LABEL_0"}}""");
        await using var inference = Open(folder, out var model);
        var prompt = new Prompt.Texts(TextTask.Rank, [new TextInput("a", "b"), new TextInput("a", "c c c")]) { RawScores = true };
        var scores = Assert.Single((await RunAsync(inference, model, prompt)).Outputs!);
        Assert.Equal(("scores", 1), (scores.Name, scores.Shape.Count));
        // [CLS] a [SEP] b [SEP], and with three c.
        Assert.Equal([190f / 5, 340f / 7], TensorFolder.Floats(scores), new Near(1e-3f));
        var labels = await RunAsync(inference, model, TextTask.Classify, new TextInput("a", "b"));
        Assert.Equal([1f], TensorFolder.Floats(labels[0]), new Near(1e-3f));
    }

    [Fact]
    public async Task Each_model_is_asked_for_what_it_is_for()
    {
        using var embedder = TensorFolder.Encoder().With("vocab.txt", Vocabulary);
        using var classifier = Classifier(2, """{"num_labels":2}""");
        using var tensors = TensorFolder.AddOne();
        foreach (var (folder, task, words) in ((TensorFolder, TextTask, string)[])
            [
                (embedder, TextTask.Rank, "makes vectors"), (embedder, TextTask.Classify, "makes vectors"),
                (classifier, TextTask.Embed, "classifies texts"), (classifier, TextTask.Rank, "classifies texts"),
                (tensors, TextTask.Embed, "takes tensors"),
            ])
        {
            await using var inference = Open(folder, out var model);
            var error = (await RunAsync(inference, model, new Prompt.Texts(task, [new TextInput("a")]))).Error!;
            Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (error.Kind, error.Field));
            Assert.Contains(words, error.Message);
            error = (await RunAsync(inference, model, new Prompt.Text("a"))).Error!;
            Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (error.Kind, error.Field));
            Assert.Contains("generates no text", error.Message);
        }

        await using LocalInference decoder =
            new([LoadedVariant.OpenAlone(TestModels.Nano, TestModels.Nano.Manifest.Variants[0], new RuntimeOptions(), new EngineOptions(),
                TimeProvider.System)]);
        var no = (await RunAsync(decoder, TestModels.Nano.Name, new Prompt.Texts(TextTask.Embed, [new TextInput("a")]))).Error!;
        Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (no.Kind, no.Field));
        Assert.Contains("generates text", no.Message);
    }

    public static TheoryData<string, string, string> Inexact => new()
    {
        { "modules.json", """[{"type":"sentence_transformers.models.Dense","path":"2_Dense"}]""", "'Dense'" },
        { "modules.json", "[]", "no pooling" },
        { "1_Pooling/config.json", """{"pooling_mode":"attention"}""", "pooling that is not known" },
        { "tokenizer.json", """{"model":{"type":"WordLevel","vocab":{}}}""", "WordLevel" },
        { "config.json", """{"architectures":["XForSequenceClassification"]}""", "no scores" },
    };

    [Theory]
    [MemberData(nameof(Inexact))]
    public async Task What_cannot_be_served_exactly_takes_tensors_and_says_why_no_texts(string file, string content, string words)
    {
        using var folder = Encoder("""{"pooling_mode":"mean"}""", normalizes: true).With(file, content);
        await using var inference = Open(folder, out var model);
        var error = (await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, [new TextInput("a")]))).Error!;
        Assert.Equal((InferenceErrorKind.InvalidRequest, "model"), (error.Kind, error.Field));
        Assert.Contains(words, error.Message);
        Assert.Contains(words, inference.Variants[0].TextRefusal);
        Tensor ids = new("input_ids", TensorType.Int64, [1, 1], BitConverter.GetBytes(5L)), mask = ids with { Name = "attention_mask" };
        Assert.Null((await RunAsync(inference, model, new Prompt.Tensors([ids, mask]))).Error);
    }

    /// <summary>Many exports leave the width of a token's vector free.</summary>
    [Theory]
    [InlineData("""{"pooling_mode":"mean","word_embedding_dimension":4}""", "{}", 5, 4)]
    [InlineData("""{"pooling_mode_max_tokens":true,"pooling_mode_cls_token":true,"word_embedding_dimension":4}""", "{}", 9, 8)]
    [InlineData("""{"pooling_mode":"mean"}""", """{"hidden_size":4}""", 5, 4)]
    // The run alone tells, or tells other than the files do.
    [InlineData("""{"pooling_mode":"mean"}""", "{}", 5, 4)]
    [InlineData("""{"pooling_mode":"mean"}""", """{"hidden_size":768}""", 500, 4)]
    public async Task More_numbers_than_a_vector_has_are_refused_where_the_graph_leaves_them_free(string pooling, string config, int asked, int most)
    {
        using var folder = TensorFolder.Encoder(declared: "W").With("vocab.txt", Vocabulary).With("config.json", config);
        SentenceFiles.Write(folder.Path, normalizes: true, 64, pooling);
        await using var inference = Open(folder, out var model);
        var refused = (await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, [new TextInput("a")]) { Dimensions = asked })).Error!;
        Assert.Equal((InferenceErrorKind.InvalidRequest, "dimensions"), (refused.Kind, refused.Field));
        Assert.Contains($"'dimensions' must be at most {most}", refused.Message, StringComparison.Ordinal);
        var whole = await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, [new TextInput("a")]) { Dimensions = most });
        Assert.Equal([1, most], Assert.Single(whole.Outputs!).Shape);
    }

    [Fact]
    public async Task Other_scores_than_there_are_labels_are_told_and_not_answered()
    {
        using var folder = TensorFolder.Classifier(3, "L").With("vocab.txt", Vocabulary).With("config.json",
            """{"architectures":["BertForSequenceClassification"],"id2label":{"0":"x","1":"y"}}""");
        await using var inference = Open(folder, out var model);
        var refused = (await RunAsync(inference, model, new Prompt.Texts(TextTask.Classify, [new TextInput("a")]))).Error!;
        Assert.Contains("3 scores for the 2 labels", refused.Message, StringComparison.Ordinal);
    }

    private static TensorFolder Encoder(string pooling, bool normalizes, int maxLength = 64)
    {
        var folder = TensorFolder.Encoder().With("vocab.txt", Vocabulary);
        SentenceFiles.Write(folder.Path, normalizes, maxLength, pooling);
        return folder;
    }

    private static TensorFolder Classifier(int labels, string config) => TensorFolder.Classifier(labels).With("vocab.txt", Vocabulary)
        .With("config.json", "{\"architectures\":[\"BertForSequenceClassification\"]," + config[1..]);

    private static LocalInference Open(TensorFolder folder, out string model)
    {
        var opened = folder.Open();
        model = opened.Name;
        return new LocalInference([LoadedVariant.OpenAlone(
            opened, opened.Manifest.Variants[0], new RuntimeOptions { Threads = 2 }, new EngineOptions(), TimeProvider.System)]);
    }

    private static async Task<IReadOnlyList<Tensor>> RunAsync(LocalInference inference, string model, TextTask task, params TextInput[] inputs)
    {
        var result = await RunAsync(inference, model, new Prompt.Texts(task, inputs));
        Assert.Null(result.Error);
        return result.Outputs!;
    }

    private static async Task<InferenceResult> RunAsync(LocalInference inference, string model, Prompt prompt)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = prompt };
        ResultFold fold = new(request.Id);
        await foreach (var inferenceEvent in inference.RunAsync(request, Cancellation)) fold.Add(inferenceEvent);
        return fold.Result();
    }

    private static IEnumerable<string> Texts(Tensor tensor)
    {
        List<string> texts = [];
        for (var rest = tensor.Data.Span; rest.Length > 0;)
        {
            var length = BitConverter.ToInt32(rest);
            texts.Add(System.Text.Encoding.UTF8.GetString(rest.Slice(4, length)));
            rest = rest[(4 + length)..];
        }

        return texts;
    }

    private sealed class Near(float tolerance) : IEqualityComparer<float>
    {
        public bool Equals(float one, float other) => MathF.Abs(one - other) <= tolerance;

        public int GetHashCode(float value) => 0;
    }
}
