using System.Runtime.CompilerServices;
using System.Threading.Channels;
using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Inference;

/// <summary>Answers a request of several prompts: each runs as a request of its own, all at once, and the choices are numbered through, prompt by
/// prompt.</summary>
internal static class PromptList
{
    /// <param name="prompts">The request's.</param>
    /// <param name="run">Answers a request of one prompt.</param>
    public static async IAsyncEnumerable<InferenceEvent> RunAsync(
        InferenceRequest request, IReadOnlyList<Prompt> prompts, Func<InferenceRequest, CancellationToken, IAsyncEnumerable<InferenceEvent>> run,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var channel = Channel.CreateUnbounded<(int Prompt, InferenceEvent Event)>(new UnboundedChannelOptions { SingleReader = true });
        Task[] runs = [.. prompts.Select((prompt, index) => PumpAsync(run(Of(request, prompt, index), stop.Token), index, channel.Writer))];
        try
        {
            Merge merge = new(prompts.Count, request.Choices);
            while (!merge.IsComplete && await channel.Reader.WaitToReadAsync(cancellationToken))
            {
                while (!merge.IsComplete && channel.Reader.TryRead(out var next)) merge.Take(next.Prompt, next.Event);
                foreach (var inferenceEvent in merge.Events) yield return inferenceEvent;
                merge.Events.Clear();
            }
        }
        finally
        {
            // What still runs for the others gives its slots back; nobody reads how it ends.
            await stop.CancelAsync();
            await Task.WhenAll(runs).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    // With one seed for all, equal prompts, sent to have several samples, would have equal answers.
    private static InferenceRequest Of(InferenceRequest request, Prompt prompt, int index) =>
        request with { Prompt = prompt, Sampling = request.Sampling with { Seed = unchecked(request.Sampling.Seed + index) } };

    private static async Task PumpAsync(IAsyncEnumerable<InferenceEvent> events, int prompt, ChannelWriter<(int Prompt, InferenceEvent Event)> output)
    {
        try
        {
            await foreach (var inferenceEvent in events) output.TryWrite((prompt, inferenceEvent));
        }
        catch (Exception fault)
        {
            // Thrown on where the events are read.
            output.TryComplete(fault);
        }
    }

    /// <summary>Makes the events of several requests those of one.</summary>
    private sealed class Merge(int prompts, int choices)
    {
        private readonly List<InferenceEvent> _held = [];
        private int _waiting = prompts, _open = prompts, _promptTokens;
        private Usage _usage = new(0, 0, 0);

        public List<InferenceEvent> Events { get; } = [];

        public bool IsComplete { get; private set; }

        public void Take(int prompt, InferenceEvent next)
        {
            var first = prompt * choices;
            switch (next)
            {
                case InferenceEvent.Admitted admitted:
                    _promptTokens += admitted.PromptTokens;
                    if (--_waiting > 0) break;
                    Events.Add(admitted with { PromptTokens = _promptTokens });
                    Events.AddRange(_held);
                    break;
                case InferenceEvent.Delta delta:
                    Add(delta with { Choice = first + delta.Choice });
                    break;
                case InferenceEvent.ChoiceFinished finished:
                    Add(finished with { Choice = first + finished.Choice });
                    break;
                case InferenceEvent.Finished { Usage: var usage }:
                    _usage = new Usage(_usage.PromptTokens + usage.PromptTokens, _usage.CompletionTokens + usage.CompletionTokens,
                        _usage.ReasoningTokens + usage.ReasoningTokens)
                    { CachedTokens = _usage.CachedTokens + usage.CachedTokens };
                    if (--_open > 0) break;
                    Events.Add(new InferenceEvent.Finished(_usage));
                    IsComplete = true;
                    break;
                case InferenceEvent.Failed { Error: var error }:
                    Events.Add(new InferenceEvent.Failed(error with { Field = At(error.Field, prompt) }));
                    IsComplete = true;
                    break;
            }
        }

        /// <summary>Until all are admitted, nothing else is told: Admitted comes first.</summary>
        private void Add(InferenceEvent next) => (_waiting > 0 ? _held : Events).Add(next);

        /// <summary>Each request names its prompt as if it were the only one.</summary>
        private static string? At(string? field, int prompt)
        {
            const string Only = "prompt";
            return field is not null && field.StartsWith(Only, StringComparison.Ordinal) ? $"{Only}[{prompt}]{field[Only.Length..]}" : field;
        }
    }
}
