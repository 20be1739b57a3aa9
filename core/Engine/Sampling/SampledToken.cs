namespace R1Serverless.Engine.Sampling;

/// <summary>A chosen token.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Logprob">Its log-probability by the model itself; 0 where no probabilities were asked for.</param>
/// <param name="Alternatives">The likeliest tokens at this place, likeliest first, the chosen one among them if it is one; null where no
/// probabilities were asked for.</param>
internal readonly record struct SampledToken(int Id, float Logprob = 0, IReadOnlyList<RankedToken>? Alternatives = null);

/// <summary>A token and its log-probability.</summary>
internal readonly record struct RankedToken(int Id, float Logprob);
