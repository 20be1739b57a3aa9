using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Quantization;
using R1Serverless.Models;
using R1Serverless.Models.Families;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Decoders;

/// <summary>
/// A decoder of a known family as an ONNX graph with onnxruntime-genai's names: input_ids and attention_mask int64 [batch, sequence] and
/// [batch, total], past_key_values.N.key/value [batch, kv heads, past, head size], int8 if wanted, float16 at that precision and else float32;
/// logits, float32, and present.N.key/value. Past and present may be one buffer. The mask holds ones for a row's tokens, past and new, then zeros.
/// </summary>
internal sealed class DecoderGraph
{
    /// <summary>GroupQueryAttention's word for no window. Its windows count the token itself, as the config's do (measured).</summary>
    private const int EverythingBefore = -1;

    private static readonly string[] GlobalCaches = ["cos_cache", "sin_cache"], LocalCaches = ["local_cos_cache", "local_sin_cache"],
        NoCaches = ["", ""];

    private readonly Checkpoint _checkpoint;
    private readonly ModelConfig _config;
    private readonly DecoderFamily _family;
    private readonly DecoderGraphOptions _options;
    private readonly OnnxGraph _graph = new("decoder");
    private readonly LinearForm _form;

    private DecoderGraph(Checkpoint checkpoint, DecoderGraphOptions options)
    {
        (_checkpoint, _config, _family, _options) = (checkpoint, checkpoint.Config, checkpoint.Config.Family!, options);
        _form = LinearForm.Create(_graph, options.Precision, options.Layout);
    }

    /// <exception cref="InvalidModelException">A tensor is missing, misshapen or not one of the family's, or the family can't have the
    /// precision.</exception>
    public static OnnxGraph Build(Checkpoint checkpoint, DecoderGraphOptions options)
    {
        if (options.Precision == Precision.Fp16 && checkpoint.Config.Family!.OverflowsFloat16)
        {
            throw new InvalidModelException(
                $"{checkpoint.Folder}: hidden states of {checkpoint.Config.Architecture} leave float16's range, so fp16 is not built: take fp32, "
                + "int8 or int4.");
        }

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
        AddRotaryCaches(GlobalCaches, isLocal: false);
        if (_config.LocalRopeTheta is not null) AddRotaryCaches(LocalCaches, isLocal: true);
        var embedding = Weight("model.embed_tokens", _config.VocabularySize, _config.HiddenSize);
        var residual = Scaled(_form.Embed("/embed", embedding, Ids()));
        var normed = Normed("/layers.0/input_norm", residual, Norm("model.layers.0.input_layernorm", _config.HiddenSize));
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
            var before = _family.NormsOutputs ? "pre_feedforward_layernorm" : "post_attention_layernorm";
            attended = OutputNorm($"/layers.{i}/attention_norm", attended, $"model.layers.{i}.post_attention_layernorm");
            (normed, residual) = AddAndNorm($"/layers.{i}/post_attention_norm", attended, residual, $"model.layers.{i}.{before}");
            var next = i + 1 < _config.Layers ? $"model.layers.{i + 1}.input_layernorm" : "model.norm";
            var added = OutputNorm($"/layers.{i}/mlp_norm", Mlp(i, normed), $"model.layers.{i}.post_feedforward_layernorm");
            (normed, residual) = AddAndNorm($"/layers.{i}/next_norm", added, residual, next);
        }

        Head(normed, embedding);
        _checkpoint.RefuseUnused();
    }

    private void AddRotaryCaches(string[] names, bool isLocal)
    {
        var (cosines, sines) = RotaryCache.Compute(_config, isLocal);
        foreach (var (name, values) in new[] { (names[0], cosines), (names[1], sines) })
        {
            long[] shape = [_config.ContextLength, _config.RotarySize / 2];
            if (_form.States == DataType.Float) _graph.Constant(new ComputedInitializer<float>(name, DataType.Float, values, shape));
            else _graph.Constant(new ComputedInitializer<Half>(name, DataType.Float16, [.. values.Select(value => (Half)value)], shape));
        }
    }

    private string Scaled(string embedded)
    {
        if (!_family.ScalesEmbedding) return embedded;
        var scale = MathF.Sqrt(_config.HiddenSize);
        return _graph.Node("Mul", "/embed/scaled", [embedded, _form.States == DataType.Float ? _graph.Scalar("/embed/scale", _form.States, scale)
            : _graph.Scalar("/embed/scale", _form.States, (Half)scale)]);
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

    /// <summary>What every attention needs of the mask: each row's length - 1 (int32), the padded length (int32), and each row's last new
    /// token.</summary>
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
        object[] shape = ["batch_size", _config.KeyValueHeads, "past_sequence_length", _config.HeadSize];
        object[] grown = ["batch_size", _config.KeyValueHeads, "total_sequence_length", _config.HeadSize];
        string[] past = [$"past_key_values.{layer}.key", $"past_key_values.{layer}.value"],
            present = [$"present.{layer}.key", $"present.{layer}.value"];
        foreach (var (before, after) in past.Zip(present))
        {
            _graph.Input(before, KvType, shape);
            _graph.Output(after, KvType, grown);
        }

        var states = QueriesKeysValues(layer, input);
        var rotates = _config.Rotates?[layer] != false;
        var caches = _config.LocalRopeTheta is not null && _config.Windows[layer] is not null ? LocalCaches : GlobalCaches;
        var name = $"/layers.{layer}/attention";
        return _graph.Node(
            "GroupQueryAttention", name,
            [.. states, .. past, "seqlens_k", "total_sequence_length", .. rotates ? caches : NoCaches, .. KvInputs(layer)], [name, .. present],
            OnnxGraph.Contrib,
            [
                ("num_heads", _config.Heads), ("kv_num_heads", _config.KeyValueHeads), ("do_rotary", rotates ? 1 : 0),
                ("local_window_size", _config.Windows[layer] ?? EverythingBefore), ("scale", 1 / MathF.Sqrt(_config.ScoreSize ?? _config.HeadSize)),
                .. KvAttributes,
            ])[0];
    }

    /// <summary>GroupQueryAttention's first three inputs [batch, sequence, heads × head size]; all in the first where nothing parts them.</summary>
    private string[] QueriesKeysValues(int layer, string input)
    {
        var (querySize, keySize) = (_config.Heads * _config.HeadSize, _config.KeyValueHeads * _config.HeadSize);
        (string Name, int Outputs, int Inputs)[] parts = _family.PacksProjections
            ? [(Projection(layer, "self_attn.qkv_proj"), querySize + (2 * keySize), _config.HiddenSize)]
            :
            [
                (Projection(layer, "self_attn.q_proj"), querySize, _config.HiddenSize),
                (Projection(layer, "self_attn.k_proj"), keySize, _config.HiddenSize),
                (Projection(layer, "self_attn.v_proj"), keySize, _config.HiddenSize),
            ];
        string Product(string name, params IReadOnlyList<(string, int, int)> layers) =>
            Sequences($"{name}/sequences", Linear(name, input, _config.AttentionBias, layers));
        if (!_family.NormsQueriesAndKeys) return [Product($"/layers.{layer}/qkv_proj", parts), "", ""];
        return
        [
            HeadNorm($"/layers.{layer}/q_norm", Product($"/layers.{layer}/q_proj", parts[0]), Projection(layer, "self_attn.q_norm"), querySize),
            HeadNorm($"/layers.{layer}/k_norm", Product($"/layers.{layer}/k_proj", parts[1]), Projection(layer, "self_attn.k_norm"), keySize),
            Product($"/layers.{layer}/v_proj", parts[2]),
        ];
    }

    private string HeadNorm(string name, string states, string weight, int size)
    {
        var heads = _graph.Node("Reshape", $"{name}/heads", [states, _graph.Integers($"{name}/heads/shape", 0, 0, -1, _config.HeadSize)]);
        var normed = Normed($"{name}/normed", heads, Norm(weight, _config.HeadSize));
        return _graph.Node("Reshape", name, [normed, _graph.Integers($"{name}/shape", 0, 0, size)]);
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
        var (inner, outer) = (_config.IntermediateSize, _config.HiddenSize);
        var (gate, up) = _family.PacksProjections
            ? PackedGateAndUp(name, input, Weight(Projection(layer, "mlp.gate_up_proj"), 2 * inner, outer))
            : (Linear($"{name}/gate_proj", input, bias: false, (Projection(layer, "mlp.gate_proj"), inner, outer)),
                Linear($"{name}/up_proj", input, bias: false, (Projection(layer, "mlp.up_proj"), inner, outer)));
        var activated = _family.Activation == "silu" ? _graph.Node("QuickGelu", $"{name}/silu", [gate], OnnxGraph.Contrib, ("alpha", 1f))
            : _graph.Node("Gelu", $"{name}/gelu", [gate], "", ("approximate", "tanh"));
        var product = _graph.Node("Mul", $"{name}/product", [activated, up]);
        return Linear($"{name}/down_proj", product, bias: false, (Projection(layer, "mlp.down_proj"), _config.HiddenSize, _config.IntermediateSize));
    }

    private (string Gate, string Up) PackedGateAndUp(string name, string input, CheckpointTensor both)
    {
        var half = _config.IntermediateSize;
        return (_form.Product($"{name}/gate_proj", input, [both.Rows(0, half)], []),
            _form.Product($"{name}/up_proj", input, [both.Rows(half, half)], []));
    }

    private string OutputNorm(string name, string input, string weight) =>
        _family.NormsOutputs ? Normed(name, input, Norm(weight, _config.HiddenSize)) : input;

    private string Normed(string name, string input, string weight) => _graph.Node(
        "SimplifiedLayerNormalization", name, [input, weight], "", ("axis", -1), ("epsilon", _config.RmsNormEpsilon), ("stash_type", 1));

    private (string Normed, string Sum) AddAndNorm(string name, string input, string residual, string weight)
    {
        var outputs = _graph.Node(
            "SkipSimplifiedLayerNormalization", name, [input, residual, Norm(weight, _config.HiddenSize)], [name, "", "", $"{name}/sum"],
            OnnxGraph.Contrib, ("epsilon", _config.RmsNormEpsilon));
        return (outputs[0], outputs[3]);
    }

    private void Head(string input, CheckpointTensor embedding)
    {
        var isTied = _checkpoint.IsHeadTied;
        var head = isTied ? embedding : Weight("lm_head", _config.VocabularySize, _config.HiddenSize);
        var logits = _form.Logits(_form.IsFlat ? "/lm_head" : "logits", Tokens("/last_norm/tokens", input), head, isTied);
        if (!_form.IsFlat) return;
        if (_options.AllLogits) _graph.Node("Reshape", "logits", [logits, "sequence_shape"]);
        else _graph.Node("Unsqueeze", "logits", [logits, "axis_1"]);
    }

    /// <summary>Linear layers of one input as one product, side by side.</summary>
    private string Linear(string name, string input, bool bias, params IReadOnlyList<(string Name, int Outputs, int Inputs)> layers) => _form.Product(
        name, input,
        [.. layers.Select(layer => Weight(layer.Name, layer.Outputs, layer.Inputs))],
        bias ? [.. layers.Select(layer => _checkpoint.Tensor($"{layer.Name}.bias", layer.Outputs))] : []);

    private string Norm(string name, int size)
    {
        var weight = _checkpoint.Tensor($"{name}.weight", size);
        return _form.Plain($"{name}.weight", _family.NormsAroundOne ? weight.Plus(1) : weight);
    }

    private CheckpointTensor Weight(string name, int outputs, int inputs) => _checkpoint.Tensor($"{name}.weight", outputs, inputs);

    private static string Projection(int layer, string name) => $"model.layers.{layer}.{name}";
}
