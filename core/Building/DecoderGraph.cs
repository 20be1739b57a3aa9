using R1Serverless.Models;
using R1Serverless.Requests;
using static R1Serverless.Building.Onnx.TensorProto.Types;

namespace R1Serverless.Building;

/// <summary>What a graph returns.</summary>
internal sealed record DecoderGraphOptions
{
    /// <summary>Logits [batch, sequence, vocabulary] of every token rather than [batch, 1, vocabulary] of each row's last real one.</summary>
    public bool AllLogits { get; init; }

    public Precision Precision { get; init; }

    /// <summary>Another layout than the precision's own, to be measured.</summary>
    public QuantizedLayout? Layout { get; init; }

    /// <summary>Keys and values in 8 bits; null for the type of the states.</summary>
    public KvScales? Kv { get; init; }
}

/// <summary>
/// A Qwen2 or Llama decoder as an ONNX graph with onnxruntime-genai's names: input_ids and attention_mask int64 [batch, sequence] and [batch, total],
/// past_key_values.N.key/value [batch, kv heads, past, head size], int8 if wanted, float16 at that precision and else float32; logits, float32, and present.N.key/value. Past and
/// present may be one buffer. The mask holds ones for a row's tokens, past and new, then zeros.
/// </summary>
internal sealed class DecoderGraph
{
    /// <summary>GroupQueryAttention's word for no window. Its windows count the token itself, as the config's do (measured).</summary>
    private const int EverythingBefore = -1;

    private readonly Checkpoint _checkpoint;
    private readonly ModelConfig _config;
    private readonly DecoderGraphOptions _options;
    private readonly OnnxGraph _graph = new("decoder");
    private readonly LinearForm _form;

    private DecoderGraph(Checkpoint checkpoint, DecoderGraphOptions options)
    {
        (_checkpoint, _config, _options) = (checkpoint, checkpoint.Config, options);
        _form = LinearForm.Create(_graph, options.Precision, options.Layout);
    }

    /// <exception cref="InvalidModelException">A tensor is missing or misshapen.</exception>
    public static OnnxGraph Build(Checkpoint checkpoint, DecoderGraphOptions options)
    {
        var decoder = new DecoderGraph(checkpoint, options);
        decoder.Assemble();
        return decoder._graph;
    }

    private void Assemble()
    {
        _graph.Input("input_ids", DataType.Int64, "batch_size", "sequence_length");
        _graph.Input("attention_mask", DataType.Int64, "batch_size", "total_sequence_length");
        _graph.Output("logits", DataType.Float, "batch_size", _options.AllLogits ? "sequence_length" : 1, _config.VocabularySize);

        AddLengths();
        AddRotaryCaches();
        var embedding = Weight("model.embed_tokens", _config.VocabularySize, _config.HiddenSize);
        var residual = _form.Embed("/embed", embedding, Ids());
        var normed = _graph.Node(
            "SimplifiedLayerNormalization", "/layers.0/input_norm", [residual, Norm("model.layers.0.input_layernorm")], "",
            ("axis", -1), ("epsilon", _config.RmsNormEpsilon), ("stash_type", 1));
        for (var i = 0; i < _config.Layers; i++)
        {
            var mixed = Attention(i, normed);
            if (i == _config.Layers - 1 && !_options.AllLogits)
            {
                // Nothing after the last attention looks at other tokens.
                mixed = LastToken("/last/attention", mixed);
                residual = Rows("/last/residual/rows", LastToken("/last/residual", Sequences("/last/residual/all", residual)), _config.HiddenSize);
            }

            var attended = Linear(
                $"/layers.{i}/o_proj", Rows($"/layers.{i}/attention/rows", mixed, _config.Heads * _config.HeadSize), _config.AttentionOutputBias,
                (Projection(i, "self_attn.o_proj"), _config.HiddenSize, _config.Heads * _config.HeadSize));
            (normed, residual) = AddAndNorm($"/layers.{i}/post_attention_norm", attended, residual, $"model.layers.{i}.post_attention_layernorm");
            var next = i + 1 < _config.Layers ? $"model.layers.{i + 1}.input_layernorm" : "model.norm";
            (normed, residual) = AddAndNorm($"/layers.{i}/next_norm", Mlp(i, normed), residual, next);
        }

        Head(normed, embedding);
    }

    private void AddRotaryCaches()
    {
        var (cosines, sines) = RotaryCache.Compute(_config);
        foreach (var (name, values) in new[] { ("cos_cache", cosines), ("sin_cache", sines) })
        {
            long[] shape = [_config.ContextLength, _config.HeadSize / 2];
            if (_form.States == DataType.Float) _graph.Constant(new ComputedInitializer<float>(name, DataType.Float, values, shape));
            else _graph.Constant(new ComputedInitializer<Half>(name, DataType.Float16, [.. values.Select(value => (Half)value)], shape));
        }
    }

    /// <summary>States [batch, sequence, size] as the form wants them.</summary>
    private string Rows(string name, string states, int size)
    {
        if (!_form.IsFlat) return states;
        if (!_form.HasSpareRow) return _graph.Node("Reshape", name, [states, _graph.Integers($"{name}/shape", -1, size)]);
        var rows = _graph.Node("Reshape", $"{name}/tokens", [states, _graph.Integers($"{name}/shape", -1, size)]);
        var spare = _graph.Constant(new ComputedInitializer<float>($"{name}/spare", DataType.Float, new float[size], 1, size));
        return _graph.Node("Concat", name, [rows, spare], "", ("axis", 0));
    }

    private string Ids()
    {
        if (!_form.IsFlat) return "input_ids";
        var ids = _graph.Node("Reshape", "/ids", ["input_ids", _graph.Integers("/ids/shape", -1)]);
        return _form.HasSpareRow ? _graph.Node("Concat", "/ids/spared", [ids, _graph.Integers("/ids/spare", 0)], "", ("axis", 0)) : ids;
    }

    /// <summary>The form's states without the row of no token.</summary>
    private string Tokens(string name, string states) => _form.HasSpareRow
        ? _graph.Node("Slice", name, [states, _graph.Integers($"{name}/first", 0), _graph.Integers($"{name}/end", -1)]) : states;

    /// <summary>The form's states as [batch, sequence, size].</summary>
    private string Sequences(string name, string states) =>
        _form.IsFlat ? _graph.Node("Reshape", name, [Tokens($"{name}/tokens", states), "sequence_shape"]) : states;

    /// <summary>What every attention needs of the mask: each row's length - 1 (int32), the padded length (int32), and each row's last new token.</summary>
    private void AddLengths()
    {
        var one = _graph.Integers("axis_1", 1);
        var lengths = _graph.Node("ReduceSum", "/lengths", ["attention_mask", one], "", ("keepdims", 0));
        var lasts = _graph.Node("Sub", "/lengths/last", [lengths, one]);
        _graph.Node("Cast", "seqlens_k", [lasts], "", ("to", (int)DataType.Int32));
        var total = _graph.Node("Shape", "/total", ["attention_mask"], "", ("start", 1), ("end", 2));
        _graph.Node("Cast", "total_sequence_length", [total], "", ("to", (int)DataType.Int32));
        if (_form.IsFlat)
        {
            var ids = _graph.Node("Shape", "/ids/sizes", ["input_ids"]);
            _graph.Node("Concat", "sequence_shape", [ids, _graph.Integers("rest", -1)], "", ("axis", 0));
        }

        if (!_options.AllLogits)
        {
            var sequence = _graph.Node("Shape", "/sequence", ["input_ids"], "", ("start", 1), ("end", 2));
            var last = _graph.Node("Sub", "/sequence/last", [sequence, one]);
            var index = _graph.Node("Min", "/last", [lasts, last]);
            _graph.Node("Unsqueeze", "last_token", [index, _graph.Integers("axes_1_2", 1, 2)]);
        }
    }

    private string LastToken(string name, string states) => _graph.Node("GatherND", name, [states, "last_token"], "", ("batch_dims", 1));

    private string Attention(int layer, string input)
    {
        var (querySize, keySize) = (_config.Heads * _config.HeadSize, _config.KeyValueHeads * _config.HeadSize);
        object[] shape = ["batch_size", _config.KeyValueHeads, "past_sequence_length", _config.HeadSize];
        object[] grown = ["batch_size", _config.KeyValueHeads, "total_sequence_length", _config.HeadSize];
        string[] past = [$"past_key_values.{layer}.key", $"past_key_values.{layer}.value"], present = [$"present.{layer}.key", $"present.{layer}.value"];
        foreach (var (before, after) in past.Zip(present))
        {
            _graph.Input(before, KvType, shape);
            _graph.Output(after, KvType, grown);
        }

        var packed = Linear(
            $"/layers.{layer}/qkv_proj", input, _config.AttentionBias,
            (Projection(layer, "self_attn.q_proj"), querySize, _config.HiddenSize),
            (Projection(layer, "self_attn.k_proj"), keySize, _config.HiddenSize),
            (Projection(layer, "self_attn.v_proj"), keySize, _config.HiddenSize));
        packed = Sequences($"/layers.{layer}/qkv_proj/sequences", packed);
        var name = $"/layers.{layer}/attention";
        return _graph.Node(
            "GroupQueryAttention", name,
            [packed, "", "", .. past, "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache", .. KvInputs(layer)], [name, .. present], OnnxGraph.Contrib,
            [
                ("num_heads", _config.Heads), ("kv_num_heads", _config.KeyValueHeads), ("do_rotary", 1),
                ("local_window_size", _config.Windows[layer] ?? EverythingBefore), ("scale", 1 / MathF.Sqrt(_config.HeadSize)), .. KvAttributes,
            ])[0];
    }

    private DataType KvType => _options.Kv is null ? _form.States : DataType.Int8;

    private IEnumerable<(string Name, object Value)> KvAttributes =>
        _options.Kv is null ? [] : [("k_quant_type", "PER_CHANNEL"), ("v_quant_type", "PER_CHANNEL"), ("kv_cache_bit_width", 8)];

    /// <summary>Behind positions, bias and sinks, which the graph does without.</summary>
    private IEnumerable<string> KvInputs(int layer) =>
        _options.Kv is { } kv ? ["", "", "", _graph.Constant(kv.Keys(layer)), _graph.Constant(kv.Values(layer))] : [];

    /// <summary>One product for gate and up together would need a copy to part them, which costs more than the second call (measured).</summary>
    private string Mlp(int layer, string input)
    {
        var name = $"/layers.{layer}/mlp";
        var gate = Linear($"{name}/gate_proj", input, bias: false, (Projection(layer, "mlp.gate_proj"), _config.IntermediateSize, _config.HiddenSize));
        var up = Linear($"{name}/up_proj", input, bias: false, (Projection(layer, "mlp.up_proj"), _config.IntermediateSize, _config.HiddenSize));
        var activated = _graph.Node("QuickGelu", $"{name}/silu", [gate], OnnxGraph.Contrib, ("alpha", 1f));
        var product = _graph.Node("Mul", $"{name}/product", [activated, up]);
        return Linear($"{name}/down_proj", product, bias: false, (Projection(layer, "mlp.down_proj"), _config.HiddenSize, _config.IntermediateSize));
    }

    private (string Normed, string Sum) AddAndNorm(string name, string input, string residual, string weight)
    {
        var outputs = _graph.Node(
            "SkipSimplifiedLayerNormalization", name, [input, residual, Norm(weight)], [name, "", "", $"{name}/sum"], OnnxGraph.Contrib,
            ("epsilon", _config.RmsNormEpsilon));
        return (outputs[0], outputs[3]);
    }

    private void Head(string input, CheckpointTensor embedding)
    {
        var head = _config.TiedEmbeddings ? embedding : Weight("lm_head", _config.VocabularySize, _config.HiddenSize);
        var logits = _form.Logits(_form.IsFlat ? "/lm_head" : "logits", Tokens("/last_norm/tokens", input), head, _config.TiedEmbeddings);
        if (!_form.IsFlat) return;
        if (_options.AllLogits) _graph.Node("Reshape", "logits", [logits, "sequence_shape"]);
        else _graph.Node("Unsqueeze", "logits", [logits, "axis_1"]);
    }

    /// <summary>Linear layers of one input as one product, side by side.</summary>
    private string Linear(string name, string input, bool bias, params IReadOnlyList<(string Name, int Outputs, int Inputs)> layers) => _form.Product(
        name, input,
        [.. layers.Select(layer => Weight(layer.Name, layer.Outputs, layer.Inputs))],
        bias ? [.. layers.Select(layer => _checkpoint.Tensor($"{layer.Name}.bias", layer.Outputs))] : []);

    private string Norm(string name) => _form.Plain($"{name}.weight", _checkpoint.Tensor($"{name}.weight", _config.HiddenSize));

    private CheckpointTensor Weight(string name, int outputs, int inputs) => _checkpoint.Tensor($"{name}.weight", outputs, inputs);

    private static string Projection(int layer, string name) => $"model.layers.{layer}.{name}";
}
