using System.Text;

namespace R1Serverless.Requests;

/// <summary>Folds the events of one request into its result.</summary>
public sealed class ResultFold(RequestId id)
{
    private readonly List<Choice> _choices = [];
    private Usage? _usage;
    private VariantChoice? _variant;
    private InferenceError? _error;

    /// <summary>Whether the last event, <see cref="InferenceEvent.Finished"/> or <see cref="InferenceEvent.Failed"/>, has come.</summary>
    public bool IsComplete => _usage is not null || _error is not null;

    public void Add(InferenceEvent happened)
    {
        switch (happened)
        {
            case InferenceEvent.Admitted admitted:
                _variant = admitted.Variant;
                break;
            case InferenceEvent.Delta delta:
                ChoiceAt(delta.Choice).Add(delta);
                break;
            case InferenceEvent.ChoiceFinished finished:
                ChoiceAt(finished.Choice).Reason = finished.Reason;
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
        while (_choices.Count <= index) _choices.Add(new Choice());
        return _choices[index];
    }

    private sealed class Choice
    {
        private readonly List<(DeltaKind Kind, StringBuilder Text)> _parts = [];
        private List<TokenLogprob>? _logprobs;

        public FinishReason? Reason { get; set; }

        public void Add(InferenceEvent.Delta delta)
        {
            if (_parts is not [.., var last] || last.Kind != delta.Kind) _parts.Add((delta.Kind, new StringBuilder(delta.Text)));
            else last.Text.Append(delta.Text);
            if (delta.Logprobs is { } logprobs) (_logprobs ??= []).AddRange(logprobs);
        }

        public ChoiceResult Result() => new([.. _parts.Select(part => new TextPart(part.Kind, part.Text.ToString()))], Reason, _logprobs);
    }
}
