using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder;

/// <summary>Writes genai_config.json, so that onnxruntime-genai's own tools can open the folder too.</summary>
internal static class GenaiConfig
{
    public const string FileName = "genai_config.json";

    public static void Write(string path, ModelConfig config, GenerationDefaults generation, string graphFile)
    {
        using var stream = File.Create(path);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("model");
        json.WriteString("type", config.Architecture);
        json.WriteNumber("vocab_size", config.VocabularySize);
        json.WriteNumber("context_length", config.ContextLength);
        json.WriteStartArray("eos_token_id");
        foreach (var token in generation.EndTokens)
            json.WriteNumberValue(token);

        json.WriteEndArray();
        json.WriteNumber("pad_token_id", generation.EndTokens.Count > 0 ? generation.EndTokens[0] : 0);
        WriteDecoder(json, config, graphFile);
        json.WriteEndObject();
        json.WriteStartObject("search");
        json.WriteBoolean("do_sample", generation.Temperature > 0);
        json.WriteNumber("temperature", generation.Temperature > 0 ? generation.Temperature : 1);
        json.WriteNumber("top_p", generation.TopP);
        json.WriteNumber("top_k", generation.TopK);
        if (generation.MinP > 0) json.WriteNumber("min_p", generation.MinP);
        if (generation.RepetitionPenalty != 1) json.WriteNumber("repetition_penalty", generation.RepetitionPenalty);
        json.WriteNumber("max_length", config.ContextLength);
        json.WriteBoolean("past_present_share_buffer", true);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteDecoder(Utf8JsonWriter json, ModelConfig config, string graphFile)
    {
        json.WriteStartObject("decoder");
        json.WriteString("filename", graphFile);
        json.WriteNumber("head_size", config.HeadSize);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_key_value_heads", config.KeyValueHeads);
        json.WriteStartObject("session_options");
        json.WriteStartArray("provider_options");
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartObject("inputs");
        json.WriteString("input_ids", "input_ids");
        json.WriteString("attention_mask", "attention_mask");
        json.WriteString("past_key_names", "past_key_values.%d.key");
        json.WriteString("past_value_names", "past_key_values.%d.value");
        json.WriteEndObject();
        json.WriteStartObject("outputs");
        json.WriteString("logits", "logits");
        json.WriteString("present_key_names", "present.%d.key");
        json.WriteString("present_value_names", "present.%d.value");
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
