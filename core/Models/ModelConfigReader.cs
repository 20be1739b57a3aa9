using System.Text.Json;

namespace R1Serverless.Models;

/// <summary>From Hugging Face's config.json (Qwen2Config, LlamaConfig and their defaults) to <see cref="ModelConfig"/>.</summary>
internal static class ModelConfigReader
{
    private const int MaxSize = 1 << 20;
    private const int DefaultMaxWindowLayers = 28;

    /// <summary>What ONNX Runtime's GroupQueryAttention accepts.</summary>
    private const int HeadSizeStep = 16;

    public static ModelConfig Read(string path)
    {
        var json = JsonFields.Load(path);
        var architecture = json.String("model_type");
        if (architecture is not ("qwen2" or "llama"))
        {
            throw json.Invalid("model_type", $"is '{architecture}', but only qwen2 and llama are supported");
        }

        if (json.FindString("hidden_act") is { } activation && activation != "silu")
        {
            throw json.Invalid("hidden_act", $"is '{activation}', but only silu is supported");
        }

        if (json.FindBoolean("mlp_bias") == true)
        {
            throw json.Invalid("mlp_bias", "is true, which is not supported");
        }

        var (hidden, heads) = (json.Integer("hidden_size", 1, MaxSize), json.Integer("num_attention_heads", 1, MaxSize));
        var layers = json.Integer("num_hidden_layers", 1, 10_000);
        var attentionBias = json.FindBoolean("attention_bias") ?? false;
        var config = new ModelConfig
        {
            Architecture = architecture,
            VocabularySize = json.Integer("vocab_size", 1, 1 << 24),
            HiddenSize = hidden,
            IntermediateSize = json.Integer("intermediate_size", 1, MaxSize),
            Layers = layers,
            Heads = heads,
            KeyValueHeads = json.FindInteger("num_key_value_heads", 1, heads) ?? heads,
            HeadSize = json.FindInteger("head_dim", 1, MaxSize) ?? hidden / heads,
            ContextLength = json.Integer("max_position_embeddings", 1, 1 << 24),
            RmsNormEpsilon = (float)(json.FindNumber("rms_norm_eps", 0, 1) ?? 1e-6),
            RopeTheta = json.FindObject("rope_parameters")?.FindNumber("rope_theta", 1, 1e12) ?? json.FindNumber("rope_theta", 1, 1e12) ?? 10000,
            RopeScaling = ReadScaling(json),
            Windows = ReadWindows(json, architecture, layers),
            TiedEmbeddings = json.FindBoolean("tie_word_embeddings") ?? false,
            AttentionBias = architecture == "qwen2" || attentionBias,
            AttentionOutputBias = architecture == "llama" && attentionBias,
        };

        if (json.Find("head_dim") is null && hidden % heads != 0)
        {
            throw json.Invalid("hidden_size", $"({hidden}) must be a multiple of num_attention_heads ({heads}) where head_dim is not given");
        }

        if (config.HeadSize % HeadSizeStep != 0)
        {
            throw json.Invalid("head_dim", $"must be a multiple of {HeadSizeStep}, but is {config.HeadSize}");
        }

        return heads % config.KeyValueHeads == 0
            ? config
            : throw json.Invalid("num_key_value_heads", $"({config.KeyValueHeads}) must divide num_attention_heads ({heads})");
    }

    /// <summary><c>rope_parameters</c> (Transformers 5) or <c>rope_scaling</c>; the kind is in <c>rope_type</c>, in old files in <c>type</c>.</summary>
    private static RopeScaling? ReadScaling(JsonFields json)
    {
        var name = json.Find("rope_parameters") is null ? "rope_scaling" : "rope_parameters";
        if (json.FindObject(name) is not { } scaling)
        {
            return null;
        }

        return (scaling.FindString("rope_type") ?? scaling.FindString("type") ?? "default") switch
        {
            "default" => null,
            "linear" => new RopeScaling.Linear(scaling.Number("factor", 1, 1e6)),
            "llama3" => ReadLlama3(scaling),
            var kind => throw json.Invalid(name, $"asks for '{kind}', which is not supported; supported are default, linear and llama3"),
        };
    }

    private static RopeScaling.Llama3 ReadLlama3(JsonFields scaling)
    {
        var (low, high) = (scaling.Number("low_freq_factor", 1e-6, 1e6), scaling.Number("high_freq_factor", 1e-6, 1e6));
        return high > low
            ? new RopeScaling.Llama3(scaling.Number("factor", 1, 1e6), low, high, scaling.Integer("original_max_position_embeddings", 1))
            : throw scaling.Invalid("high_freq_factor", "must be larger than low_freq_factor");
    }

    /// <summary>Only Qwen2 slides. Without <c>layer_types</c>, layers from <c>max_window_layers</c> on do; without <c>use_sliding_window</c>, none.</summary>
    private static int?[] ReadWindows(JsonFields json, string architecture, int layers)
    {
        var windows = new int?[layers];
        if (architecture != "qwen2" || json.FindBoolean("use_sliding_window") != true || json.FindInteger("sliding_window", 1) is not { } window)
        {
            return windows;
        }

        if (json.Find("layer_types") is not { } types)
        {
            var first = Math.Min(layers, json.FindInteger("max_window_layers", 0) ?? DefaultMaxWindowLayers);
            windows.AsSpan(first).Fill(window);
            return windows;
        }

        if (types.ValueKind != JsonValueKind.Array || types.GetArrayLength() != layers)
        {
            throw json.Invalid("layer_types", $"must be a list of {layers} entries, one per layer");
        }

        for (var i = 0; i < layers; i++)
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
}
