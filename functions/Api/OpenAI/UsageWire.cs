using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Token counts as the API names them, and the variant that answered.</summary>
internal static class UsageWire
{
    public static AnswerUsage From(Usage usage, VariantChoice? variant) => new(
        usage.PromptTokens,
        usage.CompletionTokens,
        usage.PromptTokens + usage.CompletionTokens,
        new PromptTokensDetails(usage.CachedTokens),
        new CompletionTokensDetails(usage.ReasoningTokens),
        variant is null ? null : new AnswerVariant(PrecisionName.Of(variant.Precision), variant.Reason, variant.Version));
}
