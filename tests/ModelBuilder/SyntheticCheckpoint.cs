using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>Writes Qwen2 checkpoints with random weights, N(0, 0.02) from a fixed seed, no end token: for measuring speed, not for answers.</summary>
public static class SyntheticCheckpoint
{
    /// <summary>Writes config.json, the safetensors and tokenizer files into a folder.</summary>
    /// <param name="folder">Made where absent; files in it are replaced.</param>
    /// <param name="shape">What to make.</param>
    /// <param name="tokenizerFolder">A model folder whose tokenizer is widened to the vocabulary with entries that decode to text but never
    /// encode.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <exception cref="InvalidModelException">The tokenizer has more entries than the vocabulary, or is no byte-level BPE tokenizer.</exception>
    public static void Write(string folder, SyntheticShape shape, string tokenizerFolder, int seed = 1)
    {
        Directory.CreateDirectory(folder);
        SyntheticTokenizer.Write(folder, shape.Vocabulary, tokenizerFolder);
        using (var stream = File.Create(Path.Combine(folder, ModelFiles.ConfigFile)))
        {
            WriteConfig(stream, shape);
        }

        SyntheticWeights.Write(folder, [.. Tensors(shape)], shape.BFloat16, seed);
    }

    private static void WriteConfig(Stream stream, SyntheticShape shape)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("model_type", "qwen2");
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("hidden_size", shape.Hidden);
        json.WriteNumber("intermediate_size", shape.Intermediate);
        json.WriteNumber("num_hidden_layers", shape.Layers);
        json.WriteNumber("num_attention_heads", shape.Heads);
        json.WriteNumber("num_key_value_heads", shape.KeyValueHeads);
        json.WriteNumber("head_dim", shape.HeadSize);
        json.WriteNumber("vocab_size", shape.Vocabulary);
        json.WriteNumber("max_position_embeddings", shape.Context);
        json.WriteNumber("rms_norm_eps", 1e-6);
        json.WriteNumber("rope_theta", 10000);
        json.WriteBoolean("tie_word_embeddings", shape.TiedEmbeddings);
        json.WriteEndObject();
    }

    private static IEnumerable<(string Name, int[] Shape)> Tensors(SyntheticShape s)
    {
        var (queries, keys) = (s.Heads * s.HeadSize, s.KeyValueHeads * s.HeadSize);
        yield return ("model.embed_tokens.weight", [s.Vocabulary, s.Hidden]);
        for (var i = 0; i < s.Layers; i++)
        {
            var layer = $"model.layers.{i}";
            yield return ($"{layer}.input_layernorm.weight", [s.Hidden]);
            foreach (var (name, size) in ((string, int)[])[("q", queries), ("k", keys), ("v", keys)])
            {
                yield return ($"{layer}.self_attn.{name}_proj.weight", [size, s.Hidden]);
                yield return ($"{layer}.self_attn.{name}_proj.bias", [size]);
            }

            yield return ($"{layer}.self_attn.o_proj.weight", [s.Hidden, queries]);
            yield return ($"{layer}.post_attention_layernorm.weight", [s.Hidden]);
            yield return ($"{layer}.mlp.gate_proj.weight", [s.Intermediate, s.Hidden]);
            yield return ($"{layer}.mlp.up_proj.weight", [s.Intermediate, s.Hidden]);
            yield return ($"{layer}.mlp.down_proj.weight", [s.Hidden, s.Intermediate]);
        }

        yield return ("model.norm.weight", [s.Hidden]);
        if (!s.TiedEmbeddings) yield return ("lm_head.weight", [s.Vocabulary, s.Hidden]);
    }
}
