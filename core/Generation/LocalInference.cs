using System.Runtime.CompilerServices;
using System.Threading.Channels;
using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>Answers requests with the engines in this process. Text is made here, on the caller's side, off the engine's thread.</summary>
/// <param name="variants">One or several of each model; this takes ownership.</param>
public sealed class LocalInference(IReadOnlyList<LoadedVariant> variants) : IInference, IAsyncDisposable
{
    private const string Device = "cpu";
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    private readonly ILookup<string, LoadedVariant> _models = variants.ToLookup(m => m.Id, StringComparer.Ordinal);

    public IReadOnlyList<LoadedVariant> Variants => variants;

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!_models.Contains(request.Model))
        {
            yield return Failed(InferenceErrorKind.ModelNotFound, $"The model '{request.Model}' does not exist; there is {string.Join(", ", _models.Select(m => m.Key))}.", "model");
            yield break;
        }

        LoadedVariant[] choices = [.. _models[request.Model]];
        var selection = VariantSelection.Choose(request.Model, [.. choices.Select(c => c.Variant)], Device, _ => true, request.Precision);
        if (selection.Variant is null)
        {
            yield return new InferenceEvent.Failed(selection.Error!);
            yield break;
        }

        var model = choices.First(c => c.Variant == selection.Variant);
        if (PromptTokens.Of(request, model, out var error) is not { } prompt)
        {
            yield return new InferenceEvent.Failed(error!);
            yield break;
        }

        var output = Channel.CreateUnbounded<SequenceOutput>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var answer = new Answer(request, model, prompt, output.Writer);
        var submission = model.Engine.TrySubmit(answer.Sequences);
        if (submission != Submission.Accepted)
        {
            yield return new InferenceEvent.Failed(submission == Submission.Full
                ? new InferenceError(InferenceErrorKind.QueueFull, "The queue is full. Retry later.", RetryAfter: RetryLater)
                : new InferenceError(InferenceErrorKind.Unavailable, "The worker is shutting down.", RetryAfter: RetryLater));
            yield break;
        }

        try
        {
            yield return new InferenceEvent.Admitted(prompt.Ids.Length, new VariantChoice(model.Variant.Precision, selection.Reason));
            while (!answer.IsComplete)
            {
                await output.Reader.WaitToReadAsync(cancellationToken);
                while (output.Reader.TryRead(out var next)) answer.Take(next);
                answer.Flush();
                foreach (var happened in answer.Events) yield return happened;
                answer.Events.Clear();
            }
        }
        finally
        {
            answer.CancelUnfinished();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var variant in variants) await variant.DisposeAsync();
    }

    private static InferenceEvent.Failed Failed(InferenceErrorKind kind, string message, string field) => new(new InferenceError(kind, message, field));
}
