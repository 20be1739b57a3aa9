using System.Runtime.CompilerServices;
using System.Threading.Channels;
using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>Answers requests with the engines in this process. Text is made here, on the caller's side, off the engine's thread.</summary>
/// <param name="host">Has the variants; this takes ownership.</param>
public sealed class LocalInference(ModelHost host) : IInference, IAsyncDisposable
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    /// <param name="variants">One or several of each model; this takes ownership.</param>
    public LocalInference(IReadOnlyList<LoadedVariant> variants)
        : this(ModelHost.Of(variants))
    {
    }

    /// <summary>What is loaded right now.</summary>
    public IReadOnlyList<LoadedVariant> Variants => [.. host.Status.Select(status => status.Loaded).OfType<LoadedVariant>()];

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Before a variant is loaded for it, perhaps in another's place: the tokenizer alone is read soon.
        var known = host.Find(request.Model);
        var (prompt, error) = known is var (folder, text) ? PromptTokens.Of(request, folder, await text.FindAsync(cancellationToken)) : default;
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        var placement = await host.PlaceAsync(request.Model, request.Precision, cancellationToken);
        using var lease = placement.Lease;
        if (lease is null)
        {
            yield return new InferenceEvent.Failed(placement.Error!);
            yield break;
        }

        var variant = lease.Variant;
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
            yield return new InferenceEvent.Failed(submission == Submission.Full
                ? new InferenceError(InferenceErrorKind.QueueFull, "The queue is full. Retry later.", RetryAfter: RetryLater)
                : new InferenceError(InferenceErrorKind.Unavailable, "The worker is shutting down.", RetryAfter: RetryLater));
            yield break;
        }

        try
        {
            yield return new InferenceEvent.Admitted(prompt!.Ids.Length, lease.Choice);
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

    public ValueTask DisposeAsync() => host.DisposeAsync();
}
