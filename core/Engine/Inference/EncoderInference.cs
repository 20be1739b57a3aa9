using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Encoders;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Inference;

/// <summary>Answers requests whose texts an encoder makes numbers of.</summary>
/// <param name="host">Has the variants.</param>
internal sealed class EncoderInference(ModelHost host)
{
    /// <summary>Said to those that ask a model for text which generates none.</summary>
    public static string NoDecoder(string model, ModelFolder folder) => $"'{model}' generates no text: it {Does(folder)}.";

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, Prompt.Texts prompt,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Before a variant is loaded for it, perhaps in another's place.
        var known = host.Find(request.Model);
        EncodedTexts? texts = null;
        var error = known is var (folder, _) ? Misfit(request.Model, prompt, folder, folder.Encoder) : null;
        if (known is { Text: var reading } && error is null)
        {
            var text = await reading.FindAsync(cancellationToken) as EncoderText;
            (texts, error) = Encode(request.Model, prompt, known.Value.Folder, text, cancellationToken);
        }

        var placement = error is null ? await host.PlaceAsync(request.Model, request.Precision, cancellationToken) : new Placement(null, error);
        using var lease = placement.Lease;
        error ??= placement.Error;
        var variant = lease?.Variant as LoadedTensors;
        // Another version may have taken the model over meanwhile, with another tokenizer.
        if (variant is not null && (texts is null || known?.Folder != variant.Folder))
        {
            error = Misfit(request.Model, prompt, variant.Folder, variant.Folder.Encoder);
            if (error is null) (texts, error) = Encode(request.Model, prompt, variant.Folder, variant.Text, cancellationToken);
        }

        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        yield return new InferenceEvent.Admitted(texts!.TokenCount, lease!.Choice);
        (var outputs, error) = await variant!.RunAsync(texts, prompt, cancellationToken);
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        yield return new InferenceEvent.Outputs(outputs);
        yield return new InferenceEvent.Finished(new Usage(texts.TokenCount, 0, 0));
    }

    /// <summary>Why a model can't be asked for this; null where it can.</summary>
    /// <param name="output">What is made of its texts or images; null where it takes none.</param>
    internal static InferenceError? Misfit(string model, Prompt.Texts prompt, ModelFolder folder, OutputSettings? output)
    {
        if (output is not { } encoder)
            return new InferenceError(InferenceErrorKind.InvalidRequest,
                folder.EncoderRefusal is { } refusal ? $"'{model}' takes no texts: {refusal}."
                : folder.ImageRefusal is { } other ? $"'{model}' takes no images: {other}." : $"'{model}' is no encoder: it {Does(folder)}.",
                "model");
        // A model with one score is asked for its label, too.
        return prompt.Task == encoder.Task || (prompt.Task == TextTask.Classify && encoder.Task == TextTask.Rank) ? null
            : new InferenceError(InferenceErrorKind.InvalidRequest, $"'{model}' {Denied(prompt.Task)}: it {Does(folder)}.", "model");
    }

    /// <summary>Nothing yet where the tokenizer can't be read: the load meets the same fault.</summary>
    private static (EncodedTexts? Texts, InferenceError? Error) Encode(string model, Prompt.Texts prompt, ModelFolder folder, EncoderText? text,
        CancellationToken cancellationToken) =>
        text?.Refusal is { } refusal ? (null, new InferenceError(InferenceErrorKind.InvalidRequest, $"'{model}' takes no texts: {refusal}", "model"))
        : text?.Tokenizer is { } tokenizer ? EncodedTexts.Of(prompt, folder.Encoder!, tokenizer, model, cancellationToken) : (null, null);

    private static string Does(ModelFolder folder) => folder switch
    {
        { Signature: null } => "generates text (POST /v1/chat/completions)",
        { Encoder: { Task: TextTask.Embed } } => "makes vectors of texts (POST /v1/embeddings)",
        { Encoder: { Task: TextTask.Rank } } => "ranks texts (POST /rerank)",
        { Encoder: { Task: TextTask.Classify } } => "classifies texts (POST /classify)",
        { Images: { Output: { Task: TextTask.Embed } } } => "makes vectors of images (POST /v1/embeddings)",
        { Images: { Output: not null } } => "classifies images (POST /classify)",
        { Images: not null } => "takes images by the Open Inference Protocol only",
        { Series: not null } => "decides over series of events (POST /v1/series)",
        _ => "takes tensors",
    };

    private static string Denied(TextTask task) => task switch
    {
        TextTask.Embed => "makes no vectors",
        TextTask.Rank => "does not rank",
        _ => "does not classify",
    };
}
