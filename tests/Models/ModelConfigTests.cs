using System.Text.Json.Nodes;
using R1Serverless.Models;
using R1Serverless.Tests.Building;

namespace R1Serverless.Tests.Models;

public sealed class ModelConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-config-").FullName;

    [Fact]
    public void Reads_a_llama()
    {
        var config = ModelConfig.Load(Path.Combine(ReferenceCheckpoints.Folder("llama"), "config.json"));
        Assert.Equal(("llama", 56, 24, 40, 2, 4, 2, 16), (
            config.Architecture, config.VocabularySize, config.HiddenSize, config.IntermediateSize, config.Layers, config.Heads, config.KeyValueHeads, config.HeadSize));
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
    public void Rope_parameters_of_newer_files() => Assert.Equal((5000.0, null), (Load("qwen2", _ => { }).RopeTheta, Load("qwen2", _ => { }).RopeScaling));

    [Theory]
    [InlineData("model_type", "\"mamba\"", "model_type is 'mamba'")]
    [InlineData("model_type", "null", "model_type is missing")]
    [InlineData("hidden_size", "\"many\"", "hidden_size must be a whole number of at least 1 and at most 1048576, but is \"many\"")]
    [InlineData("hidden_size", "0", "hidden_size must be")]
    [InlineData("hidden_size", "65", "hidden_size (65) must be a multiple of num_attention_heads")]
    [InlineData("hidden_size", "44", "head_dim must be a multiple of 16, but is 11")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads (3) must divide num_attention_heads (4)")]
    [InlineData("num_key_value_heads", "8", "num_key_value_heads must be")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act is 'gelu'")]
    [InlineData("mlp_bias", "true", "mlp_bias is true")]
    [InlineData("rms_norm_eps", "-1", "rms_norm_eps must be a number")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings must be true or false")]
    [InlineData("rope_parameters", "{\"rope_type\":\"yarn\",\"factor\":4}", "rope_parameters asks for 'yarn', which is not supported")]
    [InlineData("rope_parameters", "{\"rope_type\":\"linear\"}", "rope_parameters.factor is missing")]
    [InlineData("rope_parameters", "5", "rope_parameters must be an object")]
    [InlineData("layer_types", "[\"full_attention\"]", "layer_types must be a list of 2 entries")]
    [InlineData("layer_types", "[\"full_attention\",\"chunked\"]", "layer_types holds \"chunked\"")]
    public void Says_which_field_is_wrong(string field, string value, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidModelException>(() => Load("qwen2", json => json[field] = JsonNode.Parse(value))).Message);

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

    [Fact]
    public void Generation_defaults_without_any_file() => Assert.Empty(GenerationDefaults.Load(_folder).EndTokens);

    [Theory]
    [InlineData("{\"format\":9}", "is damaged")]
    [InlineData("{\"format\":9,\"name\":\"a\",\"created\":\"2026-01-01T00:00:00Z\",\"fingerprint\":\"\",\"parameters\":1,\"variants\":[]}", "has format 9, but this version reads format 2")]
    [InlineData("{\"format\":2,\"name\":\"a\",\"created\":\"2026-01-01T00:00:00Z\",\"fingerprint\":\"\",\"parameters\":1,\"variants\":[]}", "lists no variants")]
    [InlineData("{\"format\":2,\"name\":\"a\",\"created\":\"2026-01-01T00:00:00Z\",\"fingerprint\":\"\",\"parameters\":1,\"variants\":null}", "is damaged")]
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
