using R1Serverless.Abstractions;
using R1Serverless.Images;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Folders;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Vectors of pictures by an encoder, which are read as its folder says, with the length 1.</summary>
internal sealed class PictureVectors : EncodedVectors
{
    private readonly PictureSamples _samples;
    private readonly OutputSettings _settings;

    /// <exception cref="InvalidModelException">It is no encoder of images.</exception>
    public PictureVectors(PictureSamples samples, ModelFolder encoder)
        : base(samples, encoder, "ForImageClassification")
    {
        _samples = samples;
        _settings = encoder.Images?.Output is { Task: TextTask.Embed } settings ? settings : throw new InvalidModelException(
            encoder.ImageRefusal is { } refusal ? $"{encoder.Name} takes no images: {refusal}."
            : encoder.Images is null ? $"{encoder.Name} takes no images: {ModelFiles.ImageFile} must lie beside its graph."
            : $"{encoder.Name} makes no vectors of images: an encoder is needed, whose graph gives one vector of an image and has no labels.");
    }

    public override string Description => $"vectors of pictures by {Encoder.Name}";

    /// <summary>They are in memory as files.</summary>
    protected override int AtOnce => 32;

    public override SourceGraph Graph(Precision precision, string folder)
    {
        var graph = SourceGraph.Read(Encoder.GraphPath(Encoder.Manifest.Variants.First(variant => variant.Precision == precision)));
        // Of one that was exported for a single image a classifier is made that takes several, where that gives the same.
        if (BatchAxis.IsFixed(graph))
        {
            var place = Directory.CreateDirectory(Path.Combine(folder, "batch"));
            graph = BatchAxis.Free(graph, place.FullName, CancellationToken.None) ?? graph;
            place.Delete(recursive: true);
        }

        return PooledGraph.Of(graph, _settings);
    }

    protected override void WriteCompanions(string folder)
    {
        var file = Path.Combine(Encoder.Path, ModelFiles.ImageFile);
        File.Copy(file, Path.Combine(folder, ModelFiles.ImageFile));
    }

    protected override async Task<Prompt.Texts> PromptAsync(int first, int count, CancellationToken cancellation)
    {
        List<TextInput> inputs = [];
        for (var i = first; i < first + count; i++)
            inputs.Add(new TextInput(null, Image: await PictureFiles.ReadAsync(_samples.PathOf(i), Place(i), cancellation)));
        return new Prompt.Texts(TextTask.Embed, inputs);
    }

    protected override string Place(int sample) =>
        PictureSamples.PlaceOf(_samples.Lines[sample], _samples.PathOf(sample), _samples.IsOfFolders);

    /// <summary>"Image 3" or "The image" is the one that stands there.</summary>
    protected override string Words(InferenceError error, string message) =>
        message.StartsWith("Image ", StringComparison.Ordinal) ? $"the image{message[message.IndexOf(' ', "Image ".Length)..]}"
        : message.StartsWith("The image", StringComparison.Ordinal) ? $"the{message["The".Length..]}" : message;
}
