using System.Runtime.InteropServices;
using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>The shape of a random model.</summary>
public sealed record SyntheticShape(
    int Hidden, int Layers, int Heads, int KeyValueHeads, int HeadSize, int Intermediate, int Vocabulary, int Context)
{
    /// <summary>About 50 million parameters: large enough that the arithmetic, not the calls, takes the time.</summary>
    public static SyntheticShape Bench { get; } = new(512, 8, 8, 2, 64, 2304, 32000, 4096);
}

/// <summary>Writes Qwen2 checkpoints with random weights, N(0, 0.02) from a fixed seed, tied embeddings and no end token: for measuring speed, not for answers.</summary>
public static class SyntheticCheckpoint
{
    private const double Deviation = 0.02;

    /// <summary>Writes config.json, model.safetensors and tokenizer files into a folder.</summary>
    /// <param name="folder">Made where absent; files in it are replaced.</param>
    /// <param name="shape">What to make.</param>
    /// <param name="tokenizerFolder">A model folder whose tokenizer is widened to the vocabulary with entries that decode to text but never encode.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <exception cref="InvalidModelException">The tokenizer has more entries than the vocabulary, or is no byte-level BPE tokenizer.</exception>
    public static void Write(string folder, SyntheticShape shape, string tokenizerFolder, int seed = 1)
    {
        Directory.CreateDirectory(folder);
        SyntheticTokenizer.Write(folder, shape.Vocabulary, tokenizerFolder);
        using (var stream = File.Create(Path.Combine(folder, ModelFolder.ConfigFile)))
        {
            WriteConfig(stream, shape);
        }

        using var weights = File.Create(Path.Combine(folder, Checkpoint.WeightsFile));
        WriteWeights(weights, [.. Tensors(shape)], seed);
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
        json.WriteBoolean("tie_word_embeddings", true);
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
    }

    private static void WriteWeights(Stream stream, IReadOnlyList<(string Name, int[] Shape)> tensors, int seed)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            var offset = 0L;
            json.WriteStartObject();
            foreach (var (name, shape) in tensors)
            {
                var bytes = 4L * Elements(shape);
                json.WriteStartObject(name);
                json.WriteString("dtype", "F32");
                WriteNumbers(json, "shape", shape.Select(size => (long)size));
                WriteNumbers(json, "data_offsets", [offset, offset += bytes]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        stream.Write(BitConverter.GetBytes(header.Length));
        header.WriteTo(stream);
        var random = new Random(seed);
        foreach (var (name, shape) in tensors)
        {
            var values = new float[Elements(shape)];
            if (name.EndsWith("norm.weight", StringComparison.Ordinal))
            {
                Array.Fill(values, 1);
            }
            else
            {
                FillNormal(values, random);
            }

            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, IEnumerable<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers)
        {
            json.WriteNumberValue(number);
        }

        json.WriteEndArray();
    }

    private static int Elements(int[] shape) => shape.Aggregate(1, (product, size) => checked(product * size));

    /// <summary>Box and Muller: two normal numbers from two uniform ones.</summary>
    private static void FillNormal(Span<float> values, Random random)
    {
        for (var i = 0; i < values.Length; i += 2)
        {
            var radius = Deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(radius * cosine);
            if (i + 1 < values.Length)
            {
                values[i + 1] = (float)(radius * sine);
            }
        }
    }
}
