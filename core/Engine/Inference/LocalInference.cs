using System.Runtime.CompilerServices;
using System.Threading.Channels;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Engine.Inference;

/// <summary>Answers requests with the engines in this process. Text is made here, on the caller's side, off the engine's thread.</summary>
/// <param name="host">Has the variants; this takes ownership.</param>
public sealed class LocalInference(ModelHost host) : IInference, IAsyncDisposable
{
    private readonly SeriesInference _series = new(host);

    /// <param name="variants">One or several of each model; this takes ownership.</param>
    public LocalInference(IReadOnlyList<LoadedVariant> variants)
        : this(ModelHost.Of(variants))
    {
    }

    /// <summary>What is loaded right now.</summary>
    public IReadOnlyList<LoadedVariant> Variants => [.. host.Status.Select(status => status.Loaded).OfType<LoadedVariant>()];

    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        request.Prompt is Prompt.List { Prompts: var prompts } ? PromptList.RunAsync(request, prompts, RunAsync, cancellationToken)
        : request.BestOf > request.Choices ? BestOf.RunAsync(request, RunAsync, cancellationToken)
        : request.Prompt is Prompt.Tensors tensors ? RunTensorsAsync(request, tensors, cancellationToken)
        : request.Prompt is Prompt.Texts texts ? RunTextsAsync(request, texts, cancellationToken)
        : request.Prompt is Prompt.Series series ? _series.RunAsync(request, series, cancellationToken)
        : RunOneAsync(request, cancellationToken);

    private IAsyncEnumerable<InferenceEvent> RunTextsAsync(InferenceRequest request, Prompt.Texts prompt, CancellationToken cancellationToken) =>
        host.Find(request.Model)?.Folder.Images is null ? new EncoderInference(host).RunAsync(request, prompt, cancellationToken)
        : new ImageInference(host).RunAsync(request, prompt, cancellationToken);

    private async IAsyncEnumerable<InferenceEvent> RunTensorsAsync(InferenceRequest request, Prompt.Tensors prompt,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var folder = host.Find(request.Model)?.Folder;
        var error = folder is { Signature: null }
            ? new InferenceError(InferenceErrorKind.InvalidRequest,
                $"'{request.Model}' generates text: it takes one input, 'text_input' of BYTES.", "model")
            : null;
        var images = folder is null || error is not null ? [] : LoadedTensors.Images(folder, prompt.Inputs);
        var noise = await RequestNoise.OfAsync(host, request, prompt.Inputs, images, cancellationToken);
        var placement = error is null ? await host.PlaceAsync(request.Model, request.Precision, cancellationToken, noise.Sigma)
            : new Placement(null, error);
        using var lease = placement.Lease;
        IReadOnlyList<Tensor> inputs = [];
        if (lease?.Variant is not LoadedTensors variant || (error = variant.TryRead(prompt, out inputs)) is not null)
        {
            yield return new InferenceEvent.Failed(error ?? placement.Error!);
            yield break;
        }

        yield return new InferenceEvent.Admitted(0, lease.Choice);
        (var outputs, error) = await variant.RunAsync(inputs, prompt.Priority, image => noise.Row(image, variant.Folder), cancellationToken);
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        yield return new InferenceEvent.Outputs(LoadedTensors.Select(outputs, prompt.Outputs));
        yield return new InferenceEvent.Finished(new Usage(0, 0, 0));
    }

    private async IAsyncEnumerable<InferenceEvent> RunOneAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Before a variant is loaded for it, perhaps in another's place: the tokenizer alone is read soon.
        var known = host.Find(request.Model);
        if (known?.Folder.Signature is not null)
        {
            yield return new InferenceEvent.Failed(
                new InferenceError(InferenceErrorKind.InvalidRequest, EncoderInference.NoDecoder(request.Model, known.Value.Folder), "model"));
            yield break;
        }

        var (prompt, error) = known is var (folder, text)
            ? PromptTokens.Of(request, folder, await text.FindAsync(cancellationToken) as DecoderText) : default;
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        var placement = await host.PlaceAsync(request.Model, request.Precision, cancellationToken);
        using var lease = placement.Lease;
        if (lease?.Variant is not LoadedDecoder variant)
        {
            yield return new InferenceEvent.Failed(placement.Error!);
            yield break;
        }

        // Another version may have taken the model over meanwhile, with another tokenizer: a request is one version's from its prompt to its end.
        if (prompt is null || known?.Folder != variant.Folder) (prompt, error) = PromptTokens.Of(request, variant.Folder, variant.Text);
        error ??= prompt!.Check(variant.Engine.Limits, request);
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        var output = Channel.CreateUnbounded<SequenceOutput>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var answer = new Answer(request, variant, prompt!, output.Writer);
        var submission = variant.Engine.TrySubmit(answer.Sequences);
        if (submission != Submission.Accepted)
        {
            yield return new InferenceEvent.Failed(submission.ToError());
            yield break;
        }

        try
        {
            yield return new InferenceEvent.Admitted(prompt!.Ids.Length, lease.Choice);
            for (var choice = 0; request.Echo && choice < request.Choices; choice++)
                yield return new InferenceEvent.Delta(choice, DeltaKind.Answer, TextOf(request.Prompt, variant));
            while (!answer.IsComplete)
            {
                await output.Reader.WaitToReadAsync(cancellationToken);
                while (output.Reader.TryRead(out var next)) answer.Take(next);
                answer.Flush();
                foreach (var inferenceEvent in answer.Events) yield return inferenceEvent;
                answer.Events.Clear();
            }
        }
        finally
        {
            answer.CancelUnfinished();
        }
    }

    private static string TextOf(Prompt prompt, LoadedDecoder variant)
    {
        if (prompt is Prompt.Text { Value: var text }) return text;
        IncrementalDecoder decoder = new(variant.Tokenizer);
        return string.Concat(((Prompt.Tokens)prompt).Ids.Select(decoder.Append)) + decoder.Flush();
    }

    public ValueTask DisposeAsync() => host.DisposeAsync();
}
