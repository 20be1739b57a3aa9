using System.Numerics.Tensors;

namespace R1Serverless.Engine.Sampling;

/// <summary>
/// Log-probabilities as the model gave them: the log-softmax of its own logits, before bias, penalties and temperature; minus
/// infinity for what the model rules out. vLLM reports the same by default (its <c>logprobs_mode</c> is <c>raw_logprobs</c>), so that a client sees
/// the model's confidence and not its own settings.
/// </summary>
internal static class Logprobs
{
    public static SampledToken Of(int id, ReadOnlySpan<float> raw, int alternatives, SamplingScratch scratch)
    {
        var max = TensorPrimitives.Max(raw);
        if (!float.IsFinite(max)) max = 0; // an infinite logit takes all the probability
        var weights = scratch.Weights.AsSpan(0, raw.Length);
        Weights.Fill(raw, max, 1, weights);
        var normaliser = max + Math.Log(Weights.Sum(weights));
        if (alternatives == 0) return new SampledToken(id, Logprob(raw[id], normaliser), []);

        var selection = scratch.Selection.AsSpan(0, raw.Length);
        selection = selection[..Selection.Top(raw, alternatives, selection)];
        selection.Sort();
        var ranked = new RankedToken[selection.Length];
        for (var i = 0; i < ranked.Length; i++)
        {
            var rank = selection[^(i + 1)];
            ranked[i] = new RankedToken(Rank.Id(rank), Logprob(Rank.Value(rank), normaliser));
        }

        return new SampledToken(id, Logprob(raw[id], normaliser), ranked);
    }

    private static float Logprob(float logit, double normaliser)
    {
        var logprob = logit - normaliser;
        return double.IsNaN(logprob) ? 0 : (float)Math.Min(logprob, 0);
    }
}
