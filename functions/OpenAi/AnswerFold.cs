using System.Text;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>Folds the events of one request into the answer of a client that does not stream.</summary>
internal sealed class AnswerFold(CompletionCall call, AnswerHead head)
{
    private readonly Choice[] _choices = [.. Enumerable.Range(0, call.Request.Choices).Select(_ => new Choice())];
    private Usage? _usage;
    private VariantChoice? _variant;

    /// <summary>Whether <see cref="InferenceEvent.Finished"/> has come.</summary>
    public bool IsComplete => _usage is not null;

    public void Add(InferenceEvent happened)
    {
        switch (happened)
        {
            case InferenceEvent.Admitted admitted:
                _variant = admitted.Variant;
                break;
            case InferenceEvent.Delta delta:
                Choice choice = _choices[delta.Choice];
                // A raw completion is one text, reasoning included, in the order it was generated.
                bool apart = call.Api == CompletionApi.Chat && delta.Kind == DeltaKind.Reasoning;
                (apart ? choice.Reasoning : choice.Text).Append(delta.Text);
                if (delta.Logprobs is { } logprobs) choice.Logprobs.AddRange(logprobs);
                break;
            case InferenceEvent.ChoiceFinished finished:
                _choices[finished.Choice].Reason = finished.Reason;
                break;
            case InferenceEvent.Finished finished:
                _usage = finished.Usage;
                break;
        }
    }

    public ChatAnswer Chat() => new(head.Id, "chat.completion", head.Created, head.Model, [.. _choices.Select(ChatChoice)], UsageWire.From(_usage!, _variant));

    public TextAnswer Text() => new(head.Id, "text_completion", head.Created, head.Model, [.. _choices.Select(TextChoice)], UsageWire.From(_usage!, _variant));

    private ChatAnswerChoice ChatChoice(Choice choice, int index)
    {
        string? reasoning = choice.Reasoning.Length > 0 ? choice.Reasoning.ToString() : null;
        ChatLogprobs? logprobs = call.Request.TopLogprobs is null ? null : new([.. choice.Logprobs.Select(LogprobWire.Chat)], null);
        return new(index, new("assistant", choice.Text.ToString(), reasoning, reasoning, null), logprobs, AnswerHead.Name(choice.Reason));
    }

    private TextAnswerChoice TextChoice(Choice choice, int index)
    {
        int offset = 0;
        TextLogprobs? logprobs = call.Request.TopLogprobs is null ? null : LogprobWire.Text(choice.Logprobs, ref offset);
        return new(index, choice.Text.ToString(), logprobs, AnswerHead.Name(choice.Reason));
    }

    private sealed class Choice
    {
        public StringBuilder Reasoning { get; } = new();

        public StringBuilder Text { get; } = new();

        public List<TokenLogprob> Logprobs { get; } = [];

        public FinishReason Reason { get; set; }
    }
}
