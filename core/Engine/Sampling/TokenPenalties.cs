using System.Runtime.InteropServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Sampling;

/// <summary>
/// Presence and frequency penalties over the tokens that a sequence has generated; the prompt doesn't count, as in OpenAI's API. Before them the
/// repetition penalty over those and the prompt's, as in transformers.
/// </summary>
internal sealed class TokenPenalties
{
    private readonly float _presence, _frequency, _repetition;
    private readonly Dictionary<int, int> _counts = [];
    private readonly HashSet<int> _seen;

    private TokenPenalties(SamplingOptions options, float repetition, IEnumerable<int> seen) =>
        (_presence, _frequency, _repetition, _seen) = (options.PresencePenalty, options.FrequencyPenalty, repetition, [.. seen]);

    /// <summary>Null where nothing is penalised.</summary>
    /// <param name="options">The request's.</param>
    /// <param name="repetition">1 for none.</param>
    /// <param name="prompt">Its tokens.</param>
    /// <param name="vocabularySize">How many logits there are: a prompt may have tokens beyond.</param>
    public static TokenPenalties? From(SamplingOptions options, float repetition, IReadOnlyList<int> prompt, int vocabularySize)
    {
        if (options.PresencePenalty == 0 && options.FrequencyPenalty == 0 && repetition == 1) return null;
        return new(options, repetition, repetition == 1 ? [] : prompt.Where(id => (uint)id < (uint)vocabularySize));
    }

    public void Apply(Span<float> logits)
    {
        foreach (var id in _seen) logits[id] = logits[id] > 0 ? logits[id] / _repetition : logits[id] * _repetition;
        foreach (var (id, count) in _counts) logits[id] -= _presence + (_frequency * count);
    }

    public void Count(int id)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, id, out _)++;
        if (_repetition != 1) _seen.Add(id);
    }
}
