using System.Runtime.CompilerServices;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Encoders;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Inference;

/// <summary>Answers requests whose images a graph makes labels or vectors of.</summary>
/// <param name="host">Has the variants.</param>
internal sealed class ImageInference(ModelHost host)
{
    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, Prompt.Texts prompt,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Before a variant is loaded for it, perhaps in another's place.
        var error = host.Find(request.Model) is var (known, _) ? Misfit(request.Model, prompt, known) : null;
        IReadOnlyList<ReadOnlyMemory<byte>> images = [];
        if (error is null) (images, error) = Images(request.Model, prompt);
        var noise = await RequestNoise.OfAsync(host, request, [], images, cancellationToken);
        var placement = error is null ? await host.PlaceAsync(request.Model, request.Precision, cancellationToken, noise.Sigma)
            : new Placement(null, error);
        using var lease = placement.Lease;
        error ??= placement.Error;
        // Another version may have taken the model over meanwhile.
        if (lease is not null) error ??= Misfit(request.Model, prompt, lease.Variant.Folder);
        if (error is null && lease!.Variant.Folder.Images!.Output!.Dimensions is { } width && prompt.Dimensions > width)
            error = new InferenceError(InferenceErrorKind.InvalidRequest,
                $"'dimensions' must be at most {width}, the numbers of a vector of '{request.Model}'.", "dimensions");
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        yield return new InferenceEvent.Admitted(0, lease!.Choice);
        var variant = (LoadedTensors)lease.Variant;
        var (rows, fault) = await variant.RunAsync(
            images, 0, number => $"input[{number}]", image => noise.Row(image, variant.Folder), cancellationToken);
        if (fault is not null)
        {
            yield return new InferenceEvent.Failed(fault);
            yield break;
        }

        var settings = variant.Folder.Images!.Output!;
        (var answer, fault) = Answer([.. rows.Select(outputs => outputs.First(output => output.Name == settings.Output))], settings, prompt);
        if (fault is not null)
        {
            yield return new InferenceEvent.Failed(fault);
            yield break;
        }

        yield return new InferenceEvent.Outputs(answer);
        yield return new InferenceEvent.Finished(new Usage(0, 0, 0));
    }

    private static (IReadOnlyList<Tensor> Answer, InferenceError? Error) Answer(Tensor[] outputs, OutputSettings settings, Prompt.Texts prompt)
    {
        var rows = new float[outputs.Length][];
        for (var i = 0; i < rows.Length; i++)
        {
            if (TextVectors.TryOf(outputs[i], settings, prompt, out var error) is not { } row) return ([], error);
            rows[i] = row;
        }

        return TextRuns.TryTensors(rows, prompt.Task, settings);
    }

    private static InferenceError? Misfit(string model, Prompt.Texts prompt, ModelFolder folder) =>
        EncoderInference.Misfit(model, prompt, folder, folder.Images?.Output);

    private static (IReadOnlyList<ReadOnlyMemory<byte>> Images, InferenceError? Error) Images(string model, Prompt.Texts prompt)
    {
        List<ReadOnlyMemory<byte>> images = new(prompt.Inputs.Count);
        foreach (var input in prompt.Inputs)
        {
            if (input.Tokens is not null || input.Pair is not null)
                return ([], new InferenceError(InferenceErrorKind.InvalidRequest,
                    $"'{model}' reads images: a data URL, base64, or a list of lists of one of them.", $"input[{images.Count}]"));
            images.Add(input.Image ?? Encoding.UTF8.GetBytes(input.Text!));
        }

        return (images, null);
    }
}
