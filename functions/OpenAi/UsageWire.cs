using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>Token counts as the API names them.</summary>
internal static class UsageWire
{
    public static AnswerUsage From(Usage usage) => new(
        usage.PromptTokens, usage.CompletionTokens, usage.PromptTokens + usage.CompletionTokens, new CompletionTokensDetails(usage.ReasoningTokens));
}
