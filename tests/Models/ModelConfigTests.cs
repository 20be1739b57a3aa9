using System.Text.Json.Nodes;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Models;

public sealed class ModelConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-config-").FullName;

    [Fact]
    public void Reads_a_llama()
    {
        var config = ModelConfig.Load(Path.Combine(ReferenceCheckpoints.Folder("llama"), "config.json"));
        Assert.Equal(("llama", 56, 24, 40, 2, 4, 2, 16), (
            config.Architecture, config.VocabularySize, config.HiddenSize, config.IntermediateSize, config.Layers, config.Heads,
            config.KeyValueHeads, config.HeadSize));
        Assert.Equal((128, 1e-5f, 10000.0, false, false, false), (
            config.ContextLength, config.RmsNormEpsilon, config.RopeTheta, config.TiedEmbeddings, config.AttentionBias, config.AttentionOutputBias));
        Assert.Equal(new RopeScaling.Llama3(8, 1, 4, 32), config.RopeScaling);
        Assert.Equal([null, null], config.Windows);
    }

    [Fact]
    public void Layers_from_max_window_layers_on_slide() => Assert.Equal([null, 7], Load("qwen2", _ => { }).Windows);

    [Fact]
    public void Layer_types_come_first() => Assert.Equal([7, null], Load("qwen2", json =>
    {
        json["layer_types"] = new JsonArray("sliding_attention", "full_attention");
    }).Windows);

    [Fact]
    public void Without_use_sliding_window_nothing_slides() => Assert.Equal([null, null], Load("qwen2", json =>
    {
        json["use_sliding_window"] = false;
        json["layer_types"] = new JsonArray("sliding_attention", "full_attention");
    }).Windows);

    [Fact]
    public void Rope_parameters_of_newer_files() =>
    Assert.Equal((5000.0, null), (Load("qwen2", _ => { }).RopeTheta, Load("qwen2", _ => { }).RopeScaling));

    [Theory]
    [InlineData("model_type", "\"mamba\"", "model_type is 'mamba'")]
    [InlineData("model_type", "null", "model_type is missing")]
    [InlineData("hidden_size", "\"many\"", "hidden_size must be")]
    [InlineData("hidden_size", "0", "hidden_size must be")]
    [InlineData("hidden_size", "65", "hidden_size (65) must be")]
    [InlineData("hidden_size", "44", "head_dim must be")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads (3) must divide")]
    [InlineData("num_key_value_heads", "8", "num_key_value_heads must be")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act is 'gelu'")]
    [InlineData("mlp_bias", "true", "mlp_bias is true")]
    [InlineData("rms_norm_eps", "-1", "rms_norm_eps must be")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings must be")]
    [InlineData("model_type", "\"qwen3_moe\"", "mixture of experts")]
    [InlineData("rope_parameters", "{\"rope_type\":\"ntk\",\"factor\":4}", "rope_parameters.rope_type asks for 'ntk'")]
    [InlineData("rope_parameters", "{\"factor\":4}", "rope_parameters.rope_type is missing")]
    [InlineData("rope_parameters", "{\"rope_type\":\"default\",\"factor\":4}", "rope_parameters.factor has no meaning")]
    [InlineData("rope_parameters", "{\"rope_type\":\"yarn\",\"factor\":4,\"attn_factor\":1,\"attention_factor\":1}", "rope_parameters.attn_factor")]
    [InlineData("rope_parameters", "{\"rope_type\":\"yarn\",\"factor\":4,\"beta_fast\":1,\"beta_slow\":2}", "beta_fast must be larger")]
    [InlineData("rope_parameters", "{\"rope_type\":\"dynamic\"}", "rope_parameters.factor is missing")]
    [InlineData("rope_parameters", """{"rope_type":"longrope","short_factor":[1],"long_factor":[1]}""",
        "original_max_position_embeddings is missing")]
    [InlineData("rope_parameters", "{\"sliding_attention\":{\"rope_type\":\"default\"}}", "full_attention is missing")]
    [InlineData("rope_theta", "7000", "rope_theta is 7000 here, but 5000")]
    [InlineData("partial_rotary_factor", "0.5", "partial_rotary_factor is 0.5")]
    [InlineData("use_mrope", "true", "use_mrope is true")]
    [InlineData("final_logit_softcapping", "30.0", "final_logit_softcapping is 30.0")]
    [InlineData("quantization_config", "{\"quant_method\":\"gptq\",\"bits\":4}", "quantization_config.quant_method is 'gptq'")]
    [InlineData("quantization_config", "{\"quant_method\":\"awq\"}", "quant_method is 'awq'")]
    [InlineData("quantization_config", "{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true}", "quant_method is 'bitsandbytes'")]
    [InlineData("quantization_config", "{\"quant_method\":\"compressed-tensors\"}", "quant_method is 'compressed-tensors'")]
    [InlineData("quantization_config", "{\"quant_method\":\"fp8\"}", "weight_block_size must be")]
    [InlineData("quantization_config", "{\"quant_method\":\"fp8\",\"fmt\":\"e5m2\"}", "fmt is 'e5m2'")]
    [InlineData("rope_parameters", "{\"rope_type\":\"linear\"}", "rope_parameters.factor is missing")]
    [InlineData("rope_parameters", "5", "rope_parameters must be")]
    [InlineData("layer_types", "[\"full_attention\"]", "layer_types must be")]
    [InlineData("layer_types", "[\"full_attention\",\"chunked\"]", "layer_types holds \"chunked\"")]
    public void Says_which_field_is_wrong(string field, string value, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => Load("qwen2", json => json[field] = JsonNode.Parse(value))).Message);

    [Theory]
    [InlineData("""{"type":"linear","factor":4}""", """{"rope_type":"default","rope_theta":5000}""", 5000.0)]
    [InlineData("""{"type":"linear","factor":4,"rope_theta":7000}""", "null", 7000.0)]
    [InlineData("""{"rope_type":"default"}""", """{"rope_type":"linear","factor":4}""", 10000.0)]
    public void Old_and_new_fields_of_rope_are_read_together(string older, string newer, double theta)
    {
        var config = Load("qwen2", json => (json["rope_scaling"], json["rope_parameters"]) = (JsonNode.Parse(older), JsonNode.Parse(newer)));
        Assert.Equal((new RopeScaling.Linear(4), theta), (config.RopeScaling, config.RopeTheta));
    }

    [Fact]
    public void Two_scalings_are_one_too_many() =>
        Assert.Contains("rope_scaling stands beside", Assert.Throws<InvalidModelException>(() => Load("qwen2", json =>
        {
            json["rope_scaling"] = JsonNode.Parse("""{"type":"linear","factor":4}""");
            json["rope_parameters"] = JsonNode.Parse("""{"rope_type":"linear","factor":2}""");
        })).Message);

    [Theory]
    [InlineData("""{"type":"yarn","factor":4,"original_max_position_embeddings":64}""", 256)]
    [InlineData("""{"type":"yarn","factor":4,"original_max_position_embeddings":16}""", 128)]
    [InlineData("""{"type":"dynamic","factor":4,"original_max_position_embeddings":64}""", 64)]
    [InlineData("""{"type":"dynamic","factor":4}""", 128)]
    [InlineData("""{"type":"linear","factor":4}""", 128)]
    public void The_context_is_as_far_as_the_scaling_reaches(string scaling, int context) =>
        Assert.Equal(context, Load("qwen2", json => json["rope_scaling"] = JsonNode.Parse(scaling)).ContextLength);

    [Theory]
    [InlineData("mistral", "{}", 4096)]
    [InlineData("mistral", """{"sliding_window":null}""", null)]
    [InlineData("phi3", "{}", null)]
    [InlineData("llama", """{"sliding_window":7}""", null)]
    public void A_window_that_is_not_given_is_the_familys(string family, string fields, int? window) =>
        Assert.Equal([window, window], Load("llama", json =>
        {
            json["model_type"] = family;
            json["rope_scaling"] = null;
            foreach (var (name, value) in JsonNode.Parse(fields)!.AsObject()) json[name] = value?.DeepClone();
        }).Windows);

    [Theory]
    [InlineData("{", "is not valid JSON")]
    [InlineData("[]", "must hold a JSON object")]
    public void Says_when_it_is_no_JSON(string text, string message)
    {
        var path = Path.Combine(_folder, "config.json");
        File.WriteAllText(path, text);
        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => ModelConfig.Load(path)).Message);
    }

    [Theory]
    [InlineData("{}", 1f, 1f, 0, new[] { 2 })]
    [InlineData("""{"eos_token_id":[4,5],"temperature":0.6,"top_p":0.95,"top_k":20,"do_sample":true}""", 0.6f, 0.95f, 20, new[] { 4, 5 })]
    [InlineData("""{"eos_token_id":4,"temperature":0.6,"do_sample":false}""", 0f, 1f, 0, new[] { 4 })]
    public void Generation_defaults(string text, float temperature, float topP, int topK, int[] endTokens)
    {
        File.WriteAllText(Path.Combine(_folder, "generation_config.json"), text);
        File.WriteAllText(Path.Combine(_folder, "config.json"), """{"eos_token_id":2}""");
        var defaults = GenerationDefaults.Load(_folder);
        Assert.Equal((temperature, topP, topK), (defaults.Temperature, defaults.TopP, defaults.TopK));
        Assert.Equal(endTokens, defaults.EndTokens);
    }

    [Theory]
    [InlineData("""{"top_k":-1,"min_p":0.05,"repetition_penalty":1.05}""", 0, 0.05f, 1.05f, null)]
    [InlineData("""{"max_new_tokens":50,"max_length":20,"num_beams":1,"bad_words_ids":[],"typical_p":1.0,"suppress_tokens":null}""", 0, 0f, 1f, 50)]
    [InlineData("""{"max_length":20}""", 0, 0f, 1f, 8)]
    [InlineData("""{"max_length":5}""", 0, 0f, 1f, 1)]
    public void Generation_defaults_beyond_temperature(string text, int topK, float minP, float repetition, int? tokensAfter12)
    {
        File.WriteAllText(Path.Combine(_folder, "generation_config.json"), text);
        var defaults = GenerationDefaults.Load(_folder);
        Assert.Equal((topK, minP, repetition, tokensAfter12),
            (defaults.TopK, defaults.MinP, defaults.RepetitionPenalty, defaults.MaxTokens(promptLength: 12)));
    }

    [Theory]
    [InlineData("""{"no_repeat_ngram_size":3}""", "no_repeat_ngram_size")]
    [InlineData("""{"num_beams":4}""", "num_beams")]
    [InlineData("""{"typical_p":0.9}""", "typical_p")]
    [InlineData("""{"stop_strings":["\n"]}""", "stop_strings")]
    [InlineData("""{"begin_suppress_tokens":[1]}""", "begin_suppress_tokens")]
    [InlineData("""{"repetition_penalty":0}""", "repetition_penalty")]
    [InlineData("""{"top_k":-2}""", "top_k")]
    public void Generation_settings_that_nobody_would_follow_are_refused(string text, string field)
    {
        File.WriteAllText(Path.Combine(_folder, "generation_config.json"), text);
        Assert.Contains($"the field {field} ", Assert.Throws<InvalidModelException>(() => GenerationDefaults.Load(_folder)).Message);
    }

    [Fact]
    public void Generation_defaults_without_any_file() => Assert.Empty(GenerationDefaults.Load(_folder).EndTokens);

    [Theory]
    [InlineData("{\"format\":9}", "is damaged")]
    [InlineData("{\"format\":9,\"name\":\"a\",\"created\":\"2026-01-01T00:00:00Z\",\"fingerprint\":\"\",\"parameters\":1,\"variants\":[]}",
        "format 9")]
    [InlineData("{\"format\":2,\"name\":\"a\",\"created\":\"2026-01-01T00:00:00Z\",\"fingerprint\":\"\",\"parameters\":1,\"variants\":[]}",
        "lists no variants")]
    [InlineData("{\"format\":2,\"name\":\"a\",\"created\":\"2026-01-01T00:00:00Z\",\"fingerprint\":\"\",\"parameters\":1,\"variants\":null}",
        "is damaged")]
    public void Says_what_is_wrong_with_a_manifest(string text, string message)
    {
        File.WriteAllText(Path.Combine(_folder, ModelManifest.FileName), text);
        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => ModelFolder.Open(_folder)).Message);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private ModelConfig Load(string name, Action<JsonObject> change)
    {
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(ReferenceCheckpoints.Folder(name), "config.json")))!.AsObject();
        change(json);
        var path = Path.Combine(_folder, "config.json");
        File.WriteAllText(path, json.ToJsonString());
        return ModelConfig.Load(path);
    }
}
