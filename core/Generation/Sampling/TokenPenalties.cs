using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>Presence and frequency penalties over the tokens that a sequence has generated; the prompt doesn't count, as in OpenAI's API.</summary>
internal sealed class TokenPenalties
{
    private readonly float _presence;
    private readonly float _frequency;
    private readonly Dictionary<int, int> _counts = [];

    private TokenPenalties(float presence, float frequency) => (_presence, _frequency) = (presence, frequency);

    /// <summary>Null where the options penalise nothing.</summary>
    public static TokenPenalties? From(SamplingOptions options) =>
        options.PresencePenalty == 0 && options.FrequencyPenalty == 0 ? null : new(options.PresencePenalty, options.FrequencyPenalty);

    public void Apply(Span<float> logits)
    {
        foreach (var (id, count) in _counts) logits[id] -= _presence + (_frequency * count);
    }

    public void Count(int id) => System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_counts, id, out _)++;
}
