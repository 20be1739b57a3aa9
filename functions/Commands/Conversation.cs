using R1Serverless.Abstractions;

namespace R1Serverless.Commands;

/// <summary>A conversation with a model: what was said, and the next answer.</summary>
/// <param name="inference">Who answers.</param>
/// <param name="model">The model's id.</param>
/// <param name="system">The system message; null for none.</param>
/// <param name="sampling">How tokens are chosen.</param>
/// <param name="screen">Shows the answers.</param>
/// <param name="precision">Which variant answers.</param>
internal sealed class Conversation(IInference inference, string model, string? system, SamplingOptions sampling, ChatScreen screen,
    PrecisionPreference precision)
{
    private readonly List<ChatMessage> _said = [];

    /// <summary>Forgets everything but the system message.</summary>
    public void Clear() => _said.Clear();

    /// <summary>
    /// Shows the answer to a message. Null where it is complete or was stopped, else why there is none. Only what was answered stays in the
    /// conversation: of a stopped answer the part that was shown.
    /// </summary>
    public async Task<InferenceError?> AskAsync(string message, CancellationToken stop)
    {
        ChatMessage asked = new(ChatRole.User, message);
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = model, Prompt = new Prompt.Chat([.. Beginning(), .. _said, asked]), Sampling = sampling,
            Precision = precision,
        };
        System.Text.StringBuilder answer = new();
        InferenceError? error = null;
        try
        {
            await foreach (var inferenceEvent in inference.RunAsync(request, stop))
            {
                switch (inferenceEvent)
                {
                    case InferenceEvent.Delta delta:
                        screen.Write(delta);
                        if (delta.Kind == DeltaKind.Answer) answer.Append(delta.Text);
                        break;
                    case InferenceEvent.ChoiceFinished finished:
                        answer.Remove(0, finished.UnopenedReasoning);
                        break;
                    case InferenceEvent.Failed failed:
                        error = failed.Error;
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The user has seen enough of this answer.
        }

        screen.End();
        if (answer.Length > 0) _said.AddRange([asked, new ChatMessage(ChatRole.Assistant, answer.ToString())]);
        return error;
    }

    private IEnumerable<ChatMessage> Beginning() => system is null ? [] : [new ChatMessage(ChatRole.System, system)];
}
