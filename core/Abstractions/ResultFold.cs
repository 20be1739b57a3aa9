using System.Text;
using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Abstractions;

/// <summary>Folds the events of one request into its result.</summary>
/// <param name="hasLogprobs">Whether the request asks for probabilities: then each choice has them, if only those of no token.</param>
public sealed class ResultFold(RequestId id, bool hasLogprobs = false)
{
    private readonly List<Choice> _choices = [];
    private IReadOnlyList<Tensor>? _outputs;
    private SeriesAnswer? _series;
    private Usage? _usage;
    private VariantChoice? _variant;
    private InferenceError? _error;

    /// <summary>Whether the last event, <see cref="InferenceEvent.Finished"/> or <see cref="InferenceEvent.Failed"/>, has come.</summary>
    public bool IsComplete => _usage is not null || _error is not null;

    public void Add(InferenceEvent inferenceEvent)
    {
        switch (inferenceEvent)
        {
            case InferenceEvent.Admitted admitted:
                _variant = admitted.Variant;
                break;
            case InferenceEvent.Delta delta:
                ChoiceAt(delta.Choice).Add(delta);
                break;
            case InferenceEvent.ChoiceFinished finished:
                ChoiceAt(finished.Choice).End = finished;
                break;
            case InferenceEvent.Outputs outputs:
                _outputs = outputs.Tensors;
                break;
            case InferenceEvent.Decided decided:
                _series = decided.Answer;
                break;
            case InferenceEvent.Finished finished:
                _usage = finished.Usage;
                break;
            case InferenceEvent.Failed failed:
                _error = failed.Error;
                break;
        }
    }

    /// <exception cref="InvalidOperationException">The last event has not come.</exception>
    public InferenceResult Result()
    {
        if (!IsComplete) throw new InvalidOperationException("The request has not ended.");
        return new InferenceResult
        {
            Id = id,
            Outcome = _error is null ? RequestOutcome.Finished : OutcomeOf(_error),
            Choices = [.. _choices.Select(choice => choice.Result())],
            Outputs = _error is null ? _outputs : null,
            Series = _error is null ? _series : null,
            Usage = _error is null ? _usage : null,
            Variant = _variant,
            Error = _error,
        };
    }

    /// <summary>The end that an error means for its request.</summary>
    public static RequestOutcome OutcomeOf(InferenceError error) => error.Kind switch
    {
        InferenceErrorKind.Cancelled => RequestOutcome.Cancelled,
        InferenceErrorKind.DeadlineExceeded => RequestOutcome.Expired,
        InferenceErrorKind.Undeliverable => RequestOutcome.DeadLettered,
        _ => RequestOutcome.Failed,
    };

    private Choice ChoiceAt(int index)
    {
        while (_choices.Count <= index) _choices.Add(new Choice(hasLogprobs ? [] : null));
        return _choices[index];
    }

    private sealed class Choice(List<TokenLogprob>? logprobs)
    {
        private readonly List<(DeltaKind Kind, StringBuilder Text)> _parts = [];
        private List<TokenLogprob>? _logprobs = logprobs;

        public InferenceEvent.ChoiceFinished? End { get; set; }

        public void Add(InferenceEvent.Delta delta)
        {
            if (_parts is not [.., var last] || last.Kind != delta.Kind) _parts.Add((delta.Kind, new StringBuilder(delta.Text)));
            else last.Text.Append(delta.Text);
            if (delta.Logprobs is { } logprobs) (_logprobs ??= []).AddRange(logprobs);
        }

        public ChoiceResult Result() =>
            new([.. _parts.Select(part => new TextPart(part.Kind, part.Text.ToString()))], End?.Reason, _logprobs, End?.UnopenedReasoning ?? 0);
    }
}
