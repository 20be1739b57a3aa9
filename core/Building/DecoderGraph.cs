using R1Serverless.Models;
using static R1Serverless.Building.Onnx.TensorProto.Types;

namespace R1Serverless.Building;

/// <summary>What a graph returns.</summary>
internal sealed record DecoderGraphOptions
{
    /// <summary>Logits [batch, sequence, vocabulary] of every token rather than [batch, 1, vocabulary] of each row's last real one.</summary>
    public bool AllLogits { get; init; }
}

/// <summary>
/// A Qwen2 or Llama decoder as an ONNX graph with onnxruntime-genai's names: input_ids and attention_mask int64 [batch, sequence] and [batch, total],
/// past_key_values.N.key/value float [batch, kv heads, past, head size]; logits and present.N.key/value. Past and present may be one buffer. The mask
/// holds ones for a row's tokens, past and new, then zeros.
/// </summary>
internal sealed class DecoderGraph
{
    /// <summary>GroupQueryAttention's word for no window. Its windows count the token itself, as the config's do (measured).</summary>
    private const int EverythingBefore = -1;

    private readonly Checkpoint _checkpoint;
    private readonly ModelConfig _config;
    private readonly DecoderGraphOptions _options;
    private readonly OnnxGraph _graph = new("decoder");

    private DecoderGraph(Checkpoint checkpoint, DecoderGraphOptions options) => (_checkpoint, _config, _options) = (checkpoint, checkpoint.Config, options);

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

        var embedding = _graph.Constant(
            new CopiedInitializer("model.embed_tokens.weight", [Weight("model.embed_tokens", _config.VocabularySize, _config.HiddenSize)]));
        var residual = _graph.Node("Gather", "/embed", [embedding, "input_ids"]);
        AddLengths();
        var (cosines, sines) = RotaryCache.Compute(_config);
        _graph.Constant(new ComputedInitializer<float>("cos_cache", DataType.Float, cosines, _config.ContextLength, _config.HeadSize / 2));
        _graph.Constant(new ComputedInitializer<float>("sin_cache", DataType.Float, sines, _config.ContextLength, _config.HeadSize / 2));

        var normed = _graph.Node(
            "SimplifiedLayerNormalization", "/layers.0/input_norm", [residual, Norm("model.layers.0.input_layernorm")], "",
            ("axis", -1), ("epsilon", _config.RmsNormEpsilon), ("stash_type", 1));
        for (var i = 0; i < _config.Layers; i++)
        {
            var mixed = Attention(i, normed);
            if (i == _config.Layers - 1 && !_options.AllLogits)
            {
                // Nothing after the last attention looks at other tokens.
                (mixed, residual) = (LastToken("/last/attention", mixed), LastToken("/last/residual", residual));
            }

            var attended = Linear(
                $"/layers.{i}/o_proj", mixed, _config.AttentionOutputBias,
                (Projection(i, "self_attn.o_proj"), _config.HiddenSize, _config.Heads * _config.HeadSize));
            (normed, residual) = AddAndNorm($"/layers.{i}/post_attention_norm", attended, residual, $"model.layers.{i}.post_attention_layernorm");
            var next = i + 1 < _config.Layers ? $"model.layers.{i + 1}.input_layernorm" : "model.norm";
            (normed, residual) = AddAndNorm($"/layers.{i}/next_norm", Mlp(i, normed), residual, next);
        }

        Head(normed, embedding);
    }

    /// <summary>What every attention needs of the mask: each row's length - 1 (int32), the padded length (int32), and each row's last new token.</summary>
    private void AddLengths()
    {
        var one = _graph.Integers("axis_1", 1);
        var lengths = _graph.Node("ReduceSum", "/lengths", ["attention_mask", one], "", ("keepdims", 0));
        var lasts = _graph.Node("Sub", "/lengths/last", [lengths, one]);
        _graph.Node("Cast", "seqlens_k", [lasts], "", ("to", (int)DataType.Int32));
        var total = _graph.Node("Shape", "/total", ["attention_mask"], "", ("start", 1), ("end", 2));
        _graph.Node("Cast", "total_sequence_length", [total], "", ("to", (int)DataType.Int32));
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
            _graph.Input(before, DataType.Float, shape);
            _graph.Output(after, DataType.Float, grown);
        }

        var packed = Linear(
            $"/layers.{layer}/qkv_proj", input, _config.AttentionBias,
            (Projection(layer, "self_attn.q_proj"), querySize, _config.HiddenSize),
            (Projection(layer, "self_attn.k_proj"), keySize, _config.HiddenSize),
            (Projection(layer, "self_attn.v_proj"), keySize, _config.HiddenSize));
        var name = $"/layers.{layer}/attention";
        return _graph.Node(
            "GroupQueryAttention", name,
            [packed, "", "", .. past, "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache"], [name, .. present], OnnxGraph.Contrib,
            ("num_heads", _config.Heads), ("kv_num_heads", _config.KeyValueHeads), ("do_rotary", 1),
            ("local_window_size", _config.Windows[layer] ?? EverythingBefore), ("scale", 1 / MathF.Sqrt(_config.HeadSize)))[0];
    }

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

    /// <summary>A tied embedding is one constant for both ends: a transposed copy was not measurably faster, and would make the file larger.</summary>
    private void Head(string input, string embedding)
    {
        if (_config.TiedEmbeddings)
        {
            _graph.Node("FusedMatMul", "/lm_head", [input, embedding], ["logits"], OnnxGraph.Contrib, ("transB", 1));
        }
        else
        {
            var weight = new TransposedInitializer("lm_head.weight", [Weight("lm_head", _config.VocabularySize, _config.HiddenSize)]);
            _graph.Node("MatMul", "/lm_head", [input, _graph.Constant(weight)], ["logits"]);
        }
    }

    /// <summary>Linear layers of one input as one product, side by side.</summary>
    private string Linear(string name, string input, bool bias, params IReadOnlyList<(string Name, int Outputs, int Inputs)> layers)
    {
        var weights = layers.Select(layer => Weight(layer.Name, layer.Outputs, layer.Inputs)).ToList();
        var product = _graph.Node(
            "MatMul", bias ? $"{name}/product" : name, [input, _graph.Constant(new TransposedInitializer($"{name}.weight", weights))]);
        if (!bias)
        {
            return product;
        }

        var biases = layers.Select(layer => _checkpoint.Tensor($"{layer.Name}.bias", layer.Outputs)).ToList();
        return _graph.Node("Add", name, [product, _graph.Constant(new CopiedInitializer($"{name}.bias", biases))]);
    }

    private string Norm(string name) => _graph.Constant(new CopiedInitializer($"{name}.weight", [_checkpoint.Tensor($"{name}.weight", _config.HiddenSize)]));

    private CheckpointTensor Weight(string name, int outputs, int inputs) => _checkpoint.Tensor($"{name}.weight", outputs, inputs);

    private static string Projection(int layer, string name) => $"model.layers.{layer}.{name}";
}
