using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.Tests.Commands;
using R1Serverless.Tests.Engine.Encoders;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Images;
using R1Serverless.Tests.ModelBuilder.Fitting;
using R1Serverless.Tests.ModelBuilder.Fitting.Training;

namespace R1Serverless.Tests.EndToEnd;

/// <summary><c>r1 model fit</c>, then <c>r1 serve</c> of what it made, as users run them.</summary>
public sealed class FittedModelTests : IDisposable
{
    private const string Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##d\n.\n";

    private readonly FitFolder _folder = new();

    [Fact]
    public async Task Texts_are_classified_as_the_head_does_that_was_fitted()
    {
        using var encoder = TensorFolder.Encoder().With("vocab.txt", Vocabulary);
        SentenceFiles.Write(encoder.Path, normalizes: true, maxLength: 32, """{"pooling_mode":"mean"}""");
        string[] texts = ["a", "a a", "a b a", "a a a a", "c", "c c", "c b c", "c c c c"];
        var file = Write("topics.jsonl", texts.Select((text, i) => $$"""{"text":"{{text}}","label":"{{(i < 4 ? "one \\\"topic\\\"" : "übrige")}}"}"""));
        var (code, output, errors) = await ModelCommandTests.RunAsync("model", "fit", file, "--encoder", encoder.Path, "--output", _folder.Target);
        Assert.Equal((0, ""), (code, errors));
        Assert.Matches("Fitted fitted: 8 samples, 2 labels, .* vectors in [0-9.]+ s, head in [0-9.]+ s", output);
        Assert.Contains("as übrige", output);
        Assert.Contains("with 95 % confidence", output);
        Assert.Contains($"r1 serve --model {_folder.Target}", output);

        var samples = (TextSamples)SampleFile.Read(file, new SampleFields { Kind = SampleKind.Texts }, CancellationToken.None);
        var (vectors, head) = await _folder.TrainAsync(new EncoderVectors(samples, encoder.Open(), truncates: false), samples);
        await using var server = await ServeProcess.StartAsync("--model", _folder.Target);
        var body = JsonSerializer.Serialize(new { inputs = texts.Select(text => new[] { text }) });
        var answers = (await AskAsync(server, "/classify", body)).EnumerateArray().ToArray();
        foreach (var (i, answer) in answers.Index())
        {
            var expected = head.Probabilities(vectors.AsSpan(i * 4, 4));
            var scores = answer.EnumerateArray()
                .ToDictionary(one => one.GetProperty("label").GetString()!, one => one.GetProperty("score").GetDouble());
            for (var c = 0; c < 2; c++) Assert.Equal(expected[c], scores[samples.Labels[c]], 1e-5);
        }

        Assert.Equal(["one \"topic\"", "übrige"], samples.Labels);
        // [CLS] c b c [SEP]
        var infer = """
            {"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,5],"data":[2,7,6,7,3]},
            {"name":"attention_mask","datatype":"INT64","shape":[1,5],"data":[1,1,1,1,1]}]}
            """;
        var outputs = (await AskAsync(server, "/v2/models/fitted/infer", infer)).GetProperty("outputs").EnumerateArray()
            .ToDictionary(one => one.GetProperty("name").GetString()!, one => one.GetProperty("data").EnumerateArray().ToArray());
        var own = head.Probabilities(vectors.AsSpan(6 * 4, 4));
        for (var c = 0; c < 2; c++) Assert.Equal(own[c], outputs["probabilities"][c].GetDouble(), 1e-5);
        Assert.Equal("übrige", outputs["label"].Single().GetString());
    }

    [Fact]
    public async Task Rows_of_a_table_are_told_apart_with_numbers_missing()
    {
        var (values, classes) = Clouds.Draw(4, 3, 2, 15, 15);
        values[0] = float.NaN;
        var rows = classes.Index().Select(one => string.Create(CultureInfo.InvariantCulture,
            $"{one.Index},{(one.Index == 0 ? "" : values[2 * one.Index])},{values[(2 * one.Index) + 1]},{(one.Item == 0 ? "no" : "yes")}"));
        var file = Write("loans.csv", rows.Prepend("id,age,income,outcome"));
        var (code, output, errors) = await ModelCommandTests.RunAsync("model", "fit", file, "--label", "outcome", "--columns", "age,income",
            "--output", _folder.Target, "--name", "loans");
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("'age': 1 missing, counted as its mean", output);
        var samples = FitFolder.Samples(values, classes, 2);
        var (_, head) = await _folder.TrainAsync(new NumberVectors(samples, NumberForm.Values), samples);
        await using var server = await ServeProcess.StartAsync("--model", _folder.Target);
        var data = string.Join(',', values.Select(value => value.ToString(CultureInfo.InvariantCulture)));
        var outputs = (await AskAsync(server, "/v2/models/loans/infer",
            $$"""{"inputs":[{"name":"values","datatype":"FP32","shape":[30,2],"data":[{{data}}]}]}""")).GetProperty("outputs");
        var probabilities = outputs.EnumerateArray().Single(one => one.GetProperty("name").GetString() == "probabilities").GetProperty("data")
            .EnumerateArray().Select(one => one.GetDouble()).ToArray();
        for (var i = 0; i < 30; i++)
            for (var c = 0; c < 2; c++) Assert.Equal(head.Probabilities(values.AsSpan(2 * i, 2))[c], probabilities[(2 * i) + c], 1e-5);
    }

    [Fact]
    public async Task Pictures_are_classified_as_they_are_sent()
    {
        using var encoder = TensorFolder.Picture(batch: 1).With("preprocessor_config.json", """{"size":4,"resample":0}""");
        foreach (var (i, (label, file)) in PictureFiles.Index())
        {
            var folder = Directory.CreateDirectory(Path.Combine(_folder.Root, "stamps", label)).FullName;
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{i}.png"), file);
        }

        await File.WriteAllTextAsync(Path.Combine(_folder.Root, "stamps", "green", "notes.txt"), "green things");
        var (code, output, errors) = await ModelCommandTests.RunAsync("model", "fit", Path.Combine(_folder.Root, "stamps"), "--encoder", encoder.Path,
            "--output", _folder.Target);
        Assert.Equal((0, ""), (code, errors));
        Assert.Matches("Fitted fitted: 12 samples, 2 labels", output);
        Assert.Contains("Passed over: 1 file that is no picture by its name (.txt).", output);

        await using var server = await ServeProcess.StartAsync("--model", _folder.Target);
        using ByteArrayContent red = new(Pictures.Plain(230, 20, 30)), words = new("red"u8.ToArray());
        red.Headers.ContentType = words.Headers.ContentType = new("image/png");
        var answer = await server.Client.PostAsync(new Uri("/classify", UriKind.Relative), red);
        Assert.Equal("warm/red", JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement[0].GetProperty("label").GetString());
        var data = string.Join(',', ((byte[][])[Pictures.Plain(20, 210, 30), Pictures.Plain(240, 0, 0)])
            .Select(file => $"\"data:image/png;base64,{Convert.ToBase64String(file)}\""));
        var outputs = (await AskAsync(server, "/v2/models/fitted/infer",
            $$"""{"inputs":[{"name":"pixel_values","datatype":"BYTES","shape":[2],"data":[{{data}}]}]}""")).GetProperty("outputs");
        Assert.Equal(["green", "warm/red"], outputs.EnumerateArray().Single(one => one.GetProperty("name").GetString() == "label").GetProperty("data")
            .EnumerateArray().Select(one => one.GetString()!));
        var refused = await server.Client.PostAsync(new Uri("/classify", UriKind.Relative), words);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using StringContent embed = new("""{"model":"fitted","input":"red"}""", Encoding.UTF8, "application/json");
        var vectors = await server.Client.PostAsync(new Uri("/v1/embeddings", UriKind.Relative), embed);
        Assert.Contains("'fitted' makes no vectors: it classifies images (POST /classify).", await vectors.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("""{"text":"a","label":"x"}""", "line 1: 'text' needs an encoder")]
    [InlineData("""{"image":"a.png","label":"x"}""", "line 1: 'image' needs an encoder")]
    [InlineData("""{"values":[1],"label":"x"}""", "All 1 samples have the label 'x'")]
    [InlineData("""{"values":[1],"kind":"x"}""", "line 1: 'kind' is neither 'values' nor 'label'")]
    public async Task What_is_wrong_is_one_plain_line(string line, string says)
    {
        var (code, _, errors) = await ModelCommandTests.RunAsync("model", "fit", Write("samples.jsonl", [line]), "--output", _folder.Target);
        Assert.Equal(1, code);
        Assert.Contains(says, Assert.Single(errors.Trim().Split('\n')));
        Assert.False(Directory.Exists(_folder.Target));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Six shades of red, six of green.</summary>
    private static IEnumerable<(string Label, byte[] File)> PictureFiles => Enumerable.Range(0, 12).Select(i => i % 2 == 0
        ? ("warm/red", Pictures.Plain((byte)(180 + (6 * i)), (byte)(3 * i), 20))
        : ("green", Pictures.Plain((byte)(3 * i), (byte)(180 + (6 * i)), 20)));

    private static async Task<JsonElement> AskAsync(ServeProcess server, string path, string body)
    {
        using StringContent content = new(body, Encoding.UTF8, "application/json");
        var response = await server.Client.PostAsync(new Uri(path, UriKind.Relative), content);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, answer);
        return JsonDocument.Parse(answer).RootElement;
    }

    private string Write(string name, IEnumerable<string> lines)
    {
        var path = Path.Combine(_folder.Root, name);
        File.WriteAllLines(path, lines);
        return path;
    }
}
