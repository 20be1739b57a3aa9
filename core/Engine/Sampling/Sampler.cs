using System.Numerics.Tensors;
using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.Engine.Sampling;

/// <summary>
/// Chooses the tokens of one sequence: logit bias, repetition, presence and frequency penalties, then the likeliest token (temperature 0) or
/// temperature, top_k, min_p and top_p in this order and one random draw. One draw per token from the sequence's own stream: the same seed gives
/// the same text whatever runs beside it. Not safe for several threads; allocates nothing per token unless probabilities were asked for.
/// </summary>
internal sealed class Sampler
{
    /// <summary>Below this, dividing by the temperature could overflow, and the draw is greedy in effect anyway.</summary>
    private const float GreedyBelow = 1e-5f;

    private readonly int _vocabularySize;
    private readonly float _temperature;
    private readonly float _topP;
    private readonly int _topK;
    private readonly float _minP;
    private readonly int? _topLogprobs;
    private readonly KeyValuePair<int, float>[] _bias;
    private readonly TokenPenalties? _penalties;
    private RandomStream _random;

    /// <param name="options">The request's values.</param>
    /// <param name="defaults">Stand in where the request has none.</param>
    /// <param name="vocabularySize">How many of a row's logits are tokens.</param>
    /// <param name="seed">The choice's own, see <see cref="RandomStream.SeedOf"/>.</param>
    /// <param name="topLogprobs">How many alternatives to report, 0 to 20; null reports no probabilities.</param>
    /// <param name="prompt">The sequence's; only the repetition penalty looks at it.</param>
    /// <exception cref="ArgumentException">A logit bias names a token beyond the vocabulary; see <see cref="Check"/>.</exception>
    public Sampler(
        SamplingOptions options, GenerationDefaults defaults, int vocabularySize, long seed, int? topLogprobs, IReadOnlyList<int>? prompt = null)
    {
        if (Check(options, vocabularySize) is { } error) throw new ArgumentException(error.Message, nameof(options));
        _vocabularySize = vocabularySize;
        _temperature = options.Temperature ?? defaults.Temperature;
        _topP = options.TopP ?? defaults.TopP;
        _topK = options.TopK ?? defaults.TopK;
        _minP = options.MinP ?? defaults.MinP;
        _topLogprobs = topLogprobs;
        _bias = [.. options.LogitBias];
        _penalties = TokenPenalties.From(options, options.RepetitionPenalty ?? defaults.RepetitionPenalty, prompt ?? [], vocabularySize);
        _random = new RandomStream(seed);
    }

    /// <summary>Why a model with this vocabulary can't take the options, or null if it can.</summary>
    public static InferenceError? Check(SamplingOptions options, int vocabularySize)
    {
        foreach (var id in options.LogitBias.Keys)
        {
            if ((uint)id >= (uint)vocabularySize)
                return new InferenceError(InferenceErrorKind.InvalidRequest,
                    $"logit_bias names token {id}; the model's tokens are 0 to {vocabularySize - 1}.", "logit_bias");
        }

        return null;
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="row">The logits of one row, at least as many as the vocabulary; changed in place.</param>
    /// <param name="scratch">Working memory of the calling thread.</param>
    /// <exception cref="InvalidOperationException">No logit is a number above minus infinity.</exception>
    public SampledToken Sample(Span<float> row, SamplingScratch scratch)
    {
        var logits = row[.._vocabularySize];
        var raw = scratch.Raw.AsSpan(0, _topLogprobs is null ? 0 : logits.Length);
        if (_topLogprobs is not null)
        {
            ReplaceNaN(logits);
            logits.CopyTo(raw);
        }

        foreach (var (id, bias) in _bias) logits[id] += bias;
        _penalties?.Apply(logits);

        var chosen = Choose(logits, scratch);
        _penalties?.Count(chosen);
        return _topLogprobs is { } alternatives ? Logprobs.Of(chosen, raw, alternatives, scratch) : new SampledToken(chosen);
    }

    private int Choose(Span<float> logits, SamplingScratch scratch)
    {
        var likeliest = Argmax.Of(logits);
        if (float.IsNaN(logits[likeliest]))
        {
            ReplaceNaN(logits);
            likeliest = Argmax.Of(logits);
        }

        var max = logits[likeliest];
        if (float.IsNegativeInfinity(max))
            throw new InvalidOperationException("The model gave no token a probability: every logit is NaN or minus infinity.");
        if (_temperature < GreedyBelow) return likeliest;

        // Drawn even where it isn't needed, so that the n-th token always takes the n-th number.
        var draw = _random.Next();
        return float.IsPositiveInfinity(max) || _topK == 1 ? likeliest : Draw(logits, max, draw, scratch);
    }

    private int Draw(ReadOnlySpan<float> logits, float max, double draw, SamplingScratch scratch)
    {
        Span<ulong> candidates;
        double mass;
        if (_topK > 0 && _topK < logits.Length)
        {
            candidates = TopK(logits, max, scratch);
            candidates = Keep(candidates, Rank.Of(Math.Max(_minP, float.Epsilon), int.MaxValue), out mass);
        }
        else
        {
            var weights = scratch.Weights.AsSpan(0, logits.Length);
            Weights.Fill(logits, max, _temperature, weights);
            mass = Weights.Sum(weights);
            if (_minP <= 0 && _topP >= 1) return Weights.Pick(weights, draw * mass);

            // Tokens below (1 − top_p) · mass / vocabulary together weigh less than 1 − top_p: the nucleus lies above. The factor: rounding.
            var least = _minP > 0 ? _minP : (float)((1.0 - _topP) * mass / logits.Length * 0.999);
            candidates = scratch.Candidates.AsSpan();
            candidates = candidates[..Rank.Collect(weights, 0, Math.Max(least, float.Epsilon), candidates)];
            if (_minP > 0) mass = Mass(candidates);
        }

        if (_topP < 1)
        {
            var shuffled = scratch.Selection.AsSpan(0, candidates.Length);
            candidates.CopyTo(shuffled);
            candidates = Keep(candidates, Selection.Nucleus(shuffled, _topP * mass), out mass);
        }

        return Pick(candidates, draw * mass);
    }

    /// <summary>The k likeliest tokens' weights, in the order of the ids: then a rounding in a logit moves few draws, and a swap of ranks
    /// none.</summary>
    private Span<ulong> TopK(ReadOnlySpan<float> logits, float max, SamplingScratch scratch)
    {
        var top = scratch.Selection.AsSpan(0, logits.Length);
        top = top[..Selection.Top(logits, _topK, top)];
        var last = TensorPrimitives.Min<ulong>(top);
        var candidates = scratch.Candidates.AsSpan();
        candidates = candidates[..Rank.Collect(logits, 0, Rank.Value(last), candidates)];
        candidates = Keep(candidates, last, out _);
        foreach (ref var rank in candidates)
            rank = Rank.Of(MathF.Exp((Rank.Value(rank) - max) * (1 / _temperature)), Rank.Id(rank));
        return candidates;
    }

    /// <summary>Those of at least the given rank, moved to the front, and the sum of their values.</summary>
    private static Span<ulong> Keep(Span<ulong> candidates, ulong least, out double mass)
    {
        var kept = 0;
        foreach (var rank in candidates)
        {
            if (rank >= least) candidates[kept++] = rank;
        }

        mass = Mass(candidates[..kept]);
        return candidates[..kept];
    }

    private static double Mass(ReadOnlySpan<ulong> candidates)
    {
        double mass = 0;
        foreach (var rank in candidates) mass += Rank.Value(rank);
        return mass;
    }

    private static int Pick(ReadOnlySpan<ulong> candidates, double target)
    {
        foreach (var rank in candidates)
        {
            target -= Rank.Value(rank);
            if (target < 0) return Rank.Id(rank);
        }

        return Rank.Id(candidates[^1]);
    }

    private static void ReplaceNaN(Span<float> logits)
    {
        foreach (ref var logit in logits)
        {
            if (float.IsNaN(logit)) logit = float.NegativeInfinity;
        }
    }
}
