using R1Serverless.Abstractions;
using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>How a conversation is written for a model, from the folder's Jinja template or guessed. Safe for several threads.</summary>
internal interface IPromptForm
{
    /// <summary>Why the model cannot chat; null where it can.</summary>
    InferenceError? Refusal { get; }

    /// <summary>The token that ends a turn of the assistant, where the form has one.</summary>
    int? EndOfTurn { get; }

    /// <summary>Whether the form knows the reasoning tags as text, be they tokens or not.</summary>
    bool NamesReasoning { get; }

    /// <summary>The conversation, up to the assistant's next message. What messages and arguments say is a user's, all else the form's.</summary>
    /// <exception cref="TemplateException">The template refuses the conversation, or fails on it.</exception>
    MarkedText Render(Prompt.Chat chat);
}
