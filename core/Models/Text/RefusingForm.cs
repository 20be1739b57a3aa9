using R1Serverless.Abstractions;
using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>The form of a model whose template can't be used: it answers raw prompts only.</summary>
/// <param name="fault">What is wrong with the template.</param>
internal sealed class RefusingForm(TemplateException fault) : IPromptForm
{
    public InferenceError Refusal { get; } = new(
        InferenceErrorKind.InvalidRequest, $"The model's chat template can't be used: {fault.Message} /v1/completions works without it.", "messages");

    public int? EndOfTurn => null;

    public bool NamesReasoning => false;

    public MarkedText Render(Prompt.Chat chat) => throw new InvalidOperationException(Refusal.Message);
}
