namespace R1Serverless.Tests.ModelBuilder.Families;

/// <summary>A decoder's forward pass in double precision and plain loops, written from the architectures' definitions: it shares nothing with the
/// builder, and is itself held against PyTorch's logits.</summary>
internal sealed class NaiveDecoder(NaiveModel model, IReadOnlyDictionary<string, float[]> weights)
{
    /// <summary>Logits [ids, vocabulary], flat.</summary>
    public float[] Logits(long[] ids)
    {
        double[][] states = [.. ids.Select(id => Row("model.embed_tokens.weight", id).Select(value => value * model.EmbeddingScale).ToArray())];
        for (var layer = 0; layer < model.Layers.Count; layer++)
        {
            var at = $"model.layers.{layer}";
            var attended = Attention(layer, [.. states.Select(state => Norm(state, $"{at}.input_layernorm"))]);
            states = [.. states.Zip(attended, (state, more) =>
            {
                var afterAttention = Sum(state, model.HasGemmaNorms ? Norm(more, $"{at}.post_attention_layernorm") : more);
                var mixed = Mlp(Norm(afterAttention, model.HasGemmaNorms ? $"{at}.pre_feedforward_layernorm" : $"{at}.post_attention_layernorm"),
                    $"{at}.mlp");
                return Sum(afterAttention, model.HasGemmaNorms ? Norm(mixed, $"{at}.post_feedforward_layernorm") : mixed);
            })];
        }

        var head = model.IsTied ? "model.embed_tokens" : "lm_head";
        return [.. states.SelectMany(state => Linear(Norm(state, "model.norm"), head)).Select(logit => (float)logit)];
    }

    private double[][] Attention(int layer, double[][] inputs)
    {
        var (window, frequencies) = model.Layers[layer];
        var at = $"model.layers.{layer}.self_attn";
        int queries = model.Heads * model.HeadSize, keys = model.KeyValueHeads * model.HeadSize;
        double[] Part(double[] input, string name, int first, int size) =>
            model.IsPacked ? Linear(input, $"{at}.qkv_proj")[first..(first + size)] : Linear(input, $"{at}.{name}_proj");
        double[][][] Heads(string name, int first, int size, bool rotates) => [.. inputs.Select((input, position) =>
            Part(input, name, first, size).Chunk(model.HeadSize)
                .Select(head => rotates && model.NormsHeads ? Norm(head, $"{at}.{name}_norm") : head)
                .Select(head => rotates ? Rotate(head, position, frequencies) : head).ToArray())];
        var q = Heads("q", 0, queries, rotates: true);
        var k = Heads("k", queries, keys, rotates: true);
        var v = Heads("v", queries + keys, keys, rotates: false);
        var scale = model.ScoreScale ?? (1 / Math.Sqrt(model.HeadSize));
        return [.. q.Select((heads, position) => Linear([.. heads.SelectMany((head, i) =>
        {
            var shared = i / (model.Heads / model.KeyValueHeads);
            var first = window is { } length ? Math.Max(0, position - length + 1) : 0;
            double[] scores = [.. Enumerable.Range(first, position - first + 1).Select(other => scale * Dot(head, k[other][shared]))];
            var most = scores.Max();
            double[] shares = [.. scores.Select(score => Math.Exp(score - most))];
            var mixed = new double[model.HeadSize];
            for (var j = 0; j < shares.Length; j++)
            {
                for (var c = 0; c < mixed.Length; c++) mixed[c] += shares[j] / shares.Sum() * v[first + j][shared][c];
            }

            return mixed;
        })], $"{at}.o_proj"))];
    }

    private double[] Rotate(double[] head, int position, double[]? frequencies)
    {
        if (frequencies is null) return head;
        double[] turned = [.. head];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var (sine, cosine) = Math.SinCos(position * frequencies[i]);
            var (one, other) = (head[i], head[i + frequencies.Length]);
            turned[i] = model.RotaryScale * ((one * cosine) - (other * sine));
            turned[i + frequencies.Length] = model.RotaryScale * ((other * cosine) + (one * sine));
        }

        return turned;
    }

    private double[] Mlp(double[] input, string at)
    {
        double[] gate, up;
        if (model.IsPacked)
        {
            var both = Linear(input, $"{at}.gate_up_proj");
            (gate, up) = (both[..model.Inner], both[model.Inner..]);
        }
        else
        {
            (gate, up) = (Linear(input, $"{at}.gate_proj"), Linear(input, $"{at}.up_proj"));
        }

        return Linear([.. gate.Zip(up, (g, u) => Activation(g) * u)], $"{at}.down_proj");
    }

    /// <summary>SiLU; Gemma has GELU in its form with a hyperbolic tangent.</summary>
    private double Activation(double x) => model.HasGemmaNorms
        ? 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))))
        : x / (1 + Math.Exp(-x));

    private double[] Norm(double[] state, string name)
    {
        var root = Math.Sqrt((state.Sum(value => value * value) / state.Length) + model.Epsilon);
        return [.. state.Zip(weights[$"{name}.weight"], (value, weight) => value / root * (model.HasGemmaNorms ? 1.0 + weight : weight))];
    }

    private double[] Linear(double[] input, string name)
    {
        var bias = weights.GetValueOrDefault($"{name}.bias");
        return [.. weights[$"{name}.weight"].Chunk(input.Length)
            .Select((row, i) => row.Zip(input, (weight, value) => weight * value).Sum() + (bias?[i] ?? 0))];
    }

    private IEnumerable<double> Row(string name, long row) =>
        weights[name].Skip((int)row * model.Hidden).Take(model.Hidden).Select(value => (double)value);

    private static double Dot(double[] one, double[] other) => one.Zip(other, (a, b) => a * b).Sum();

    private static double[] Sum(double[] one, double[] other) => [.. one.Zip(other, (a, b) => a + b)];
}
