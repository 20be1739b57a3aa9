using R1Serverless.Models.Text;

namespace R1Serverless.Engine.Text;

/// <summary>How reasoning is told from the answer: by the tokens of <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>, where the model has both, and by
/// their text where it has not. With tokens the same characters spelt by others are plain text.</summary>
/// <param name="Open">The id of the opening tag; null where the tags are text.</param>
/// <param name="Close">The id of the closing tag; null where the tags are text.</param>
internal sealed record ReasoningTags(int? Open, int? Close)
{
    /// <summary>For models that spell them.</summary>
    public static ReasoningTags Spelled { get; } = new(null, null);

    public bool AreText => Open is null;

    /// <summary>Null where the model has no such tags.</summary>
    public static ReasoningTags? Of(ChatTemplate template) =>
        template is { Think: { } open, EndThink: { } close } ? new(open, close) : template.SpellsReasoning ? Spelled : null;
}
