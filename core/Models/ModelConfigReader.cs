using System.Text.Json;
using R1Serverless.Models.Families;

namespace R1Serverless.Models;

/// <summary>From Hugging Face's config.json (the families' configuration classes and their defaults) to <see cref="ModelConfig"/>.</summary>
internal static class ModelConfigReader
{
    private const int MaxSize = 1 << 20;
    private const int DefaultMaxWindowLayers = 28, DefaultRopeInterval = 4, DefaultWindowPattern = 6, DefaultQueryScalar = 256;

    /// <summary>What changes results where it is on, and is not built.</summary>
    private static readonly string[] Switches = ["mlp_bias", "use_mrope", "use_bidirectional_attention", "qk_layernorm"];

    /// <summary>The same for what is a number.</summary>
    private static readonly string[] Amounts = ["attn_logit_softcapping", "final_logit_softcapping", "clip_qkv"];

    public static ModelConfig Read(string path)
    {
        var json = JsonFields.Load(path);
        var type = json.String("model_type");
        var family = DecoderFamilies.Find(type) ?? throw json.Invalid("model_type", DecoderFamilies.Refusal(type));
        RefuseUnbuilt(json, family);

        var (hidden, heads) = (json.Integer("hidden_size", 1, MaxSize), json.Integer("num_attention_heads", 1, MaxSize));
        var layers = json.Integer("num_hidden_layers", 1, 10_000);
        var headSize = json.FindInteger("head_dim", 1, MaxSize) ?? family.HeadSize;
        if (headSize is null && hidden % heads != 0)
            throw json.Invalid("hidden_size", $"({hidden}) must be a multiple of num_attention_heads ({heads}) where head_dim is not given");

        var rope = RopeFields.Read(json, family, headSize ?? hidden / heads);
        var rotates = ReadRotates(json, family, layers);
        var hasBias = json.FindBoolean("attention_bias") ?? false;
        var config = new ModelConfig
        {
            Architecture = type,
            Family = family,
            VocabularySize = json.Integer("vocab_size", 1, 1 << 24),
            HiddenSize = hidden,
            IntermediateSize = json.Integer("intermediate_size", 1, MaxSize),
            Layers = layers,
            Heads = heads,
            KeyValueHeads = json.FindInteger("num_key_value_heads", 1, heads) ?? heads,
            HeadSize = headSize ?? hidden / heads,
            ContextLength = rope.ContextLength,
            RmsNormEpsilon = (float)(json.FindNumber("rms_norm_eps", 0, 1) ?? family.RmsNormEpsilon),
            RopeTheta = rope.Theta,
            LocalRopeTheta = rope.LocalTheta,
            RopeScaling = rope.Scaling,
            RotarySize = rope.RotarySize,
            Rotates = rotates,
            Windows = ReadWindows(json, family, rotates, layers),
            ScoreSize = family.ScalesByQueryScalar ? (float)(json.FindNumber("query_pre_attn_scalar", 1e-6, 1e6) ?? DefaultQueryScalar) : null,
            TiedEmbeddings = json.FindBoolean("tie_word_embeddings") ?? family.TiedEmbeddings,
            AttentionBias = family.Biases == BiasRule.QueryKeyValue || (family.Biases == BiasRule.ByField && hasBias),
            AttentionOutputBias = family.Biases == BiasRule.ByField && hasBias,
            WeightBlock = ReadWeightBlock(json),
        };

        return heads % config.KeyValueHeads == 0
            ? config
            : throw json.Invalid("num_key_value_heads", $"({config.KeyValueHeads}) must divide num_attention_heads ({heads})");
    }

    private static void RefuseUnbuilt(JsonFields json, DecoderFamily family)
    {
        var field = json.Find("hidden_activation") is null ? "hidden_act" : "hidden_activation";
        if (json.FindString(field) is { } activation && activation != family.Activation)
            throw json.Invalid(field, $"is '{activation}', but only {family.Activation} is supported for {family.ModelType}");

        foreach (var name in Switches)
        {
            if (json.FindBoolean(name) == true) throw json.Invalid(name, "is true, which is not supported");
        }

        foreach (var name in Amounts)
        {
            if (json.Find(name) is { } value) throw json.Invalid(name, $"is {value.GetRawText()}, which is not supported");
        }
    }

    /// <summary>Which layers have rotary embeddings; null for all.</summary>
    private static bool[]? ReadRotates(JsonFields json, DecoderFamily family, int layers)
    {
        if (!family.HasLayersWithoutRope) return null;
        var interval = json.FindInteger("no_rope_layer_interval", 1) ?? DefaultRopeInterval;
        if (json.Find("no_rope_layers") is null) return [.. Enumerable.Range(1, layers).Select(layer => layer % interval != 0)];
        var listed = json.Integers("no_rope_layers");
        return listed.Count >= layers && listed.All(one => one is 0 or 1) ? [.. listed.Take(layers).Select(one => one == 1)]
            : throw json.Invalid("no_rope_layers", $"must be a list of at least {layers} zeros and ones");
    }

    /// <summary>The window of each layer; null where it sees everything before.</summary>
    private static int?[] ReadWindows(JsonFields json, DecoderFamily family, bool[]? rotates, int layers)
    {
        var windows = new int?[layers];
        var window = json.Has("sliding_window") ? json.FindInteger("sliding_window", 1) : family.Window;
        if (family.Windows == WindowRule.None || window is null || (family.WindowsNeedSwitch && json.FindBoolean("use_sliding_window") != true))
            return windows;

        if (family.ReadsLayerTypes && json.Find("layer_types") is { } types) return ByType(json, types, windows, window.Value);
        var first = json.FindInteger("max_window_layers", 0) ?? DefaultMaxWindowLayers;
        var pattern = json.FindInteger("sliding_window_pattern", 1) ?? json.FindInteger("_sliding_window_pattern", 1) ?? DefaultWindowPattern;
        for (var i = 0; i < layers; i++)
        {
            var slides = family.Windows switch
            {
                WindowRule.FromMaxWindowLayers => i >= first,
                WindowRule.WithoutRope => rotates?[i] == false,
                WindowRule.AllButEachNth => (i + 1) % pattern != 0,
                _ => true,
            };
            windows[i] = slides ? window : null;
        }

        return windows;
    }

    private static int?[] ByType(JsonFields json, JsonElement types, int?[] windows, int window)
    {
        if (types.ValueKind != JsonValueKind.Array || types.GetArrayLength() != windows.Length)
            throw json.Invalid("layer_types", $"must be a list of {windows.Length} entries, one per layer");

        for (var i = 0; i < windows.Length; i++)
        {
            windows[i] = (types[i].ValueKind == JsonValueKind.String ? types[i].GetString() : null) switch
            {
                "sliding_attention" => window,
                "full_attention" => null,
                _ => throw json.Invalid("layer_types", $"holds {types[i].GetRawText()}; expected sliding_attention or full_attention"),
            };
        }

        return windows;
    }

    /// <summary>The blocks of weights that are quantised as DeepSeek publishes them; other methods are refused.</summary>
    private static WeightBlock? ReadWeightBlock(JsonFields json)
    {
        if ((json.FindObject("quantization_config") ?? json.FindObject("compression_config")) is not { } fields) return null;
        var method = fields.FindString("quant_method") ?? "unknown";
        if (method != "fp8")
        {
            throw fields.Invalid("quant_method",
                $"is '{method}', whose weights are not read: build from the model's unquantised checkpoint, with --precision int8 or int4");
        }

        if (fields.FindString("fmt") is { } format && format != "e4m3") throw fields.Invalid("fmt", $"is '{format}', but only e4m3 is read");
        var block = fields.Integers("weight_block_size");
        return block.Count == 2 && block.All(size => size > 0) ? new WeightBlock(block[0], block[1])
            : throw fields.Invalid("weight_block_size", "must be two numbers, the rows and columns that share a scale: FP8 with a scale for a whole "
            + "tensor is not read; build from the model's unquantised checkpoint");
    }
}
