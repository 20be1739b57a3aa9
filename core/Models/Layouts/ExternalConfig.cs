namespace R1Serverless.Models.Layouts;

/// <summary>The configuration of a model whose graph another program made: its sizes. What only a builder needs is in the graph already, and left at
/// zero here.</summary>
internal static class ExternalConfig
{
    /// <summary>From a config.json of whatever architecture.</summary>
    /// <exception cref="InvalidModelException">The file is missing or no JSON, or a size is missing or out of range.</exception>
    public static ModelConfig Load(string path)
    {
        var json = JsonFields.Load(path);
        // Models of text and images keep the decoder's part in an object of its own.
        if (json.Find("max_position_embeddings") is null && json.FindObject("text_config") is { } text) json = text;
        return Of(
            json.FindString("model_type") ?? "", json.Integer("vocab_size", 1), json.Integer("max_position_embeddings", 1),
            json.Integer("hidden_size", 1),
            json.Integer("num_hidden_layers", 1), json.Integer("num_attention_heads", 1), json.FindInteger("num_key_value_heads", 1),
            json.FindInteger("head_dim", 1));
    }

    public static ModelConfig Of(string type, int vocabulary, int context, int hidden, int layers, int heads, int? keyValueHeads, int? headSize) =>
        new()
        {
            Architecture = type,
            VocabularySize = vocabulary,
            ContextLength = context,
            HiddenSize = hidden,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = keyValueHeads ?? heads,
            HeadSize = headSize ?? hidden / heads,
            IntermediateSize = 0,
            RmsNormEpsilon = 0,
            RopeTheta = 0,
            Windows = new int?[layers],
            TiedEmbeddings = false,
            AttentionBias = false,
        };
}
