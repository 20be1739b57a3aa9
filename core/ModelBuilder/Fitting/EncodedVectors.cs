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
using R1Serverless.Models.Folders;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Vectors by an encoder, of the length 1, as a server makes them of requests.</summary>
/// <param name="classifies">What the names of such classifiers end in, in config.json.</param>
internal abstract class EncodedVectors(SampleSet samples, ModelFolder encoder, string classifies) : IVectorSource
{
    private const string Graphs = "model.onnx", Architectures = "architectures";

    /// <summary>So many are worth a measurement of lanes.</summary>
    private const int Many = 500;

    public abstract string Description { get; }

    public bool IsByColumn => false;

    public bool IsImputing => false;

    public IReadOnlyList<(Precision Precision, bool Preload)> Variants =>
        [.. encoder.Manifest.Variants.Select(variant => (variant.Precision, variant.Preload))];

    /// <summary>Samples of a request.</summary>
    protected abstract int AtOnce { get; }

    protected ModelFolder Encoder => encoder;

    protected string Config => Path.Combine(encoder.Path, ModelFiles.ConfigFile);

    public abstract SourceGraph Graph(Precision precision, string folder);

    public async Task<float[]> ReadAsync(string folder, IProgress<int> done, CancellationToken cancellation)
    {
        var place = Directory.CreateDirectory(Path.Combine(folder, "encoder")).FullName;
        Graph(Variants[0].Precision, folder).Write(place, Graphs, progress: null, cancellation);
        WriteEncoder(place);
        var model = ModelFolder.Open(place);
        List<float> vectors = [];
        await using (LocalInference inference = new([
            LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], new RuntimeOptions(), new EngineOptions { WarmsUp = samples.Count >= Many },
                TimeProvider.System)]))
        {
            for (var first = 0; first < samples.Count; first += AtOnce)
            {
                var count = Math.Min(AtOnce, samples.Count - first);
                var prompt = await PromptAsync(first, count, cancellation);
                vectors.AddRange(await RunAsync(inference, model.Name, prompt, first, cancellation));
                done.Report(first + count);
            }
        }

        Directory.Delete(place, recursive: true);
        return [.. vectors];
    }

    public void WriteFiles(string folder, IReadOnlyList<string> labels)
    {
        WriteCompanions(folder);
        var config = (File.Exists(Config) ? JsonNode.Parse(File.ReadAllText(Config)) : null) as JsonObject ?? [];
        var named = (config[Architectures] as JsonArray)?.FirstOrDefault()?.ToString() ?? "Model";
        var family = named.Split("For")[0];
        config[Architectures] = new JsonArray((family.EndsWith("Model", StringComparison.Ordinal) ? family[..^"Model".Length] : family) + classifies);
        LabelConfig.Write(Path.Combine(folder, ModelFiles.ConfigFile), config, labels, []);
    }

    /// <summary>What an encoder has beside its graph.</summary>
    protected virtual void WriteEncoder(string folder) => WriteCompanions(folder);

    /// <summary>What says how samples become the graph's inputs.</summary>
    protected abstract void WriteCompanions(string folder);

    /// <summary>The request for the vectors of some samples.</summary>
    protected abstract Task<Prompt.Texts> PromptAsync(int first, int count, CancellationToken cancellation);

    /// <summary>Where a sample is, in words.</summary>
    protected virtual string Place(int sample) => samples.Place(sample);

    /// <summary>What is wrong with a sample, in words to say behind where it is.</summary>
    protected abstract string Words(InferenceError error, string message);

    private async Task<float[]> RunAsync(LocalInference inference, string model, Prompt.Texts prompt, int first, CancellationToken cancellation)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = prompt };
        ResultFold fold = new(request.Id);
        await foreach (var one in inference.RunAsync(request, cancellation)) fold.Add(one);
        var result = fold.Result();
        if (result.Error is { } error) throw Refused(error, model, first);
        return MemoryMarshal.Cast<byte, float>(result.Outputs![0].Data.Span).ToArray();
    }

    /// <summary>The field of an error names the sample by its number: <c>input[3]</c>.</summary>
    private Exception Refused(InferenceError error, string model, int first)
    {
        var message = error.Message.Replace($"'{model}'", $"'{encoder.Name}'", StringComparison.Ordinal);
        return error.Field?.Split('[', ']') is [_, var number, _]
            ? new InvalidDataException($"{Place(first + int.Parse(number))}: {Words(error, message)}") : new InvalidModelException(message);
    }
}
