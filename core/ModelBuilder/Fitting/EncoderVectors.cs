using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Folders;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Vectors of texts by an encoder: those that its folder describes, with the length 1.</summary>
internal sealed class EncoderVectors : IVectorSource
{
    private const string Graphs = "model.onnx", Architectures = "architectures", Classifies = "ForSequenceClassification";

    /// <summary>Texts of a request, and how many are worth a measurement of lanes.</summary>
    private const int AtOnce = 256, Many = 500;

    private readonly TextSamples _samples;
    private readonly ModelFolder _encoder;
    private readonly EncoderSettings _settings;
    private readonly bool _truncates;

    /// <param name="truncates">Whether texts that are too long are cut at their end.</param>
    /// <exception cref="InvalidModelException">It is no encoder, or one that has another task.</exception>
    public EncoderVectors(TextSamples samples, ModelFolder encoder, bool truncates)
    {
        (_samples, _encoder, _truncates) = (samples, encoder, truncates);
        _settings = encoder.Encoder is { Task: TextTask.Embed } settings ? settings : throw new InvalidModelException(
            encoder.EncoderRefusal is { } refusal ? $"{encoder.Name} takes no texts: {refusal}."
            : $"{encoder.Name} makes no vectors of texts: an encoder is needed, such as those for /v1/embeddings.");
    }

    public string Description => $"vectors of texts by {_encoder.Name}";

    public bool IsByColumn => false;

    public bool IsImputing => false;

    public IReadOnlyList<(Precision Precision, bool Preload)> Variants =>
        [.. _encoder.Manifest.Variants.Select(variant => (variant.Precision, variant.Preload))];

    public SourceGraph Graph(Precision precision, string folder) =>
        PooledGraph.Read(_encoder.GraphPath(_encoder.Manifest.Variants.First(variant => variant.Precision == precision)), _settings);

    public async Task<float[]> ReadAsync(string folder, IProgress<int> done, CancellationToken cancellation)
    {
        var place = Directory.CreateDirectory(Path.Combine(folder, "encoder")).FullName;
        Graph(Variants[0].Precision, folder).Write(place, Graphs, progress: null, cancellation);
        WriteTokenizer(place);
        if (File.Exists(Config)) File.Copy(Config, Path.Combine(place, ModelFiles.ConfigFile));
        var model = ModelFolder.Open(place);
        List<float> vectors = [];
        await using (LocalInference inference = new([
            LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], new RuntimeOptions(), new EngineOptions { WarmsUp = _samples.Count >= Many },
                TimeProvider.System)]))
        {
            for (var first = 0; first < _samples.Count; first += AtOnce)
            {
                string[] texts = [.. _samples.Texts.Skip(first).Take(AtOnce)];
                vectors.AddRange(await RunAsync(inference, model.Name, texts, first, cancellation));
                done.Report(first + texts.Length);
            }
        }

        Directory.Delete(place, recursive: true);
        return [.. vectors];
    }

    public void WriteFiles(string folder, IReadOnlyList<string> labels)
    {
        WriteTokenizer(folder);
        var config = (File.Exists(Config) ? JsonNode.Parse(File.ReadAllText(Config)) : null) as JsonObject ?? [];
        var named = (config[Architectures] as JsonArray)?.FirstOrDefault()?.ToString() ?? "Model";
        var family = named.Split("For")[0];
        config[Architectures] = new JsonArray((family.EndsWith("Model", StringComparison.Ordinal) ? family[..^"Model".Length] : family) + Classifies);
        LabelConfig.Write(Path.Combine(folder, ModelFiles.ConfigFile), config, labels, []);
    }

    private string Config => Path.Combine(_encoder.Path, ModelFiles.ConfigFile);

    private void WriteTokenizer(string folder)
    {
        foreach (var file in ModelFiles.TokenizerFiles.Where(file => File.Exists(Path.Combine(_encoder.Path, file))))
            File.Copy(Path.Combine(_encoder.Path, file), Path.Combine(folder, file));
        File.WriteAllText(Path.Combine(folder, ModelFiles.LengthFile), $$"""{"max_seq_length":{{_settings.MaxLength}}}""");
    }

    private async Task<float[]> RunAsync(LocalInference inference, string model, string[] texts, int first, CancellationToken cancellation)
    {
        Prompt.Texts prompt = new(TextTask.Embed, [.. texts.Select(text => new TextInput(text))])
        {
            Truncation = _truncates ? TextTruncation.Right : TextTruncation.None,
        };
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = prompt };
        ResultFold fold = new(request.Id);
        await foreach (var one in inference.RunAsync(request, cancellation)) fold.Add(one);
        var result = fold.Result();
        if (result.Error is { } error) throw Refused(error, model, first);
        return MemoryMarshal.Cast<byte, float>(result.Outputs![0].Data.Span).ToArray();
    }

    /// <summary>The field of an error names the text by its number: <c>input[3]</c>.</summary>
    private Exception Refused(InferenceError error, string model, int first)
    {
        var message = error.Message.Replace($"'{model}'", $"'{_encoder.Name}'", StringComparison.Ordinal);
        if (error.Field?.Split('[', ']') is not [_, var number, _]) return new InvalidModelException(message);
        var line = _samples.Lines[first + int.Parse(number)];
        return new InvalidDataException(error.Kind == InferenceErrorKind.ContextLengthExceeded
            ? $"line {line}: {message[..message.IndexOf(':', StringComparison.Ordinal)]}: shorten it, or let such texts be cut with --truncate."
            : $"line {line}: {message}");
    }
}
