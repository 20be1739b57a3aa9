using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>How the two APIs ask for probabilities: chat by a switch and a count, completions by the count alone.</summary>
internal static class LogprobFields
{
    private const int MaxAlternatives = 20;

    /// <summary>Alternatives per token, 0 to 20; null where no probabilities are wanted.</summary>
    public static int? ReadRequested(CompletionApi api, RequestReader reader)
    {
        if (api == CompletionApi.Responses) return null;
        // Clients of the older API send false for "none".
        if (api == CompletionApi.Text)
        {
            return reader.Optional("logprobs") is { ValueKind: JsonValueKind.False } ? null : (int?)reader.Integer("logprobs", 0, MaxAlternatives);
        }

        var wanted = reader.Flag("logprobs") ?? false;
        var alternatives = (int?)reader.Integer("top_logprobs", 0, MaxAlternatives);
        if (alternatives > 0 && !wanted) reader.Faults.Add("top_logprobs", "'top_logprobs' is only allowed together with 'logprobs': true.");
        return wanted ? alternatives ?? 0 : null;
    }
}
