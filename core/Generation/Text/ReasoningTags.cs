using R1Serverless.Models;

namespace R1Serverless.Generation;

/// <summary>The token ids of <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>. Only the tokens count: the same characters spelt by others are plain text.</summary>
internal sealed record ReasoningTags(int Open, int Close)
{
    /// <summary>Null where the model has no such tokens.</summary>
    public static ReasoningTags? Of(ITokenizer tokenizer) =>
        tokenizer.AddedToken("<think>") is { } open && tokenizer.AddedToken("</think>") is { } close ? new(open, close) : null;
}
