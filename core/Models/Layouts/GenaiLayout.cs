namespace R1Serverless.Models.Layouts;

/// <summary>onnxruntime-genai's folders: genai_config.json says which file the decoder is, and what its inputs and outputs are called.</summary>
internal static class GenaiLayout
{
    public const string ConfigFile = "genai_config.json";

    public static bool IsAt(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    /// <exception cref="InvalidModelException">The file is damaged, or the graph can't be served.</exception>
    public static ModelManifest Describe(string folder)
    {
        var names = Names(folder);
        return ExternalVariants.Describe(
            folder, [Graph(folder)], file => SharedCache.Refusal(file, names), FolderLayout.Genai, CommunityLayout.Advice);
    }

    /// <summary>The decoder's names; the defaults for those that the file leaves out.</summary>
    public static GraphNames Names(string folder)
    {
        var decoder = Decoder(folder);
        var (inputs, outputs, usual) = (decoder.FindObject("inputs"), decoder.FindObject("outputs"), GraphNames.Default);
        return new GraphNames
        {
            InputIds = inputs?.FindString("input_ids") ?? usual.InputIds,
            AttentionMask = inputs?.FindString("attention_mask") ?? usual.AttentionMask,
            PositionIds = inputs?.FindString("position_ids") ?? usual.PositionIds,
            PastKeys = inputs?.FindString("past_key_names") ?? usual.PastKeys,
            PastValues = inputs?.FindString("past_value_names") ?? usual.PastValues,
            Logits = outputs?.FindString("logits") ?? usual.Logits,
            PresentKeys = outputs?.FindString("present_key_names") ?? usual.PresentKeys,
            PresentValues = outputs?.FindString("present_value_names") ?? usual.PresentValues,
        };
    }

    public static ModelConfig Config(string folder)
    {
        var (model, decoder) = (Model(folder), Decoder(folder));
        return ExternalConfig.Of(
            model.FindString("type") ?? "", model.Integer("vocab_size", 1), model.Integer("context_length", 1), decoder.Integer("hidden_size", 1),
            decoder.Integer("num_hidden_layers", 1), decoder.Integer("num_attention_heads", 1), decoder.FindInteger("num_key_value_heads", 1),
            decoder.FindInteger("head_size", 1));
    }

    /// <summary>What its own search settings say.</summary>
    public static GenerationDefaults Generation(string folder)
    {
        var search = JsonFields.Load(Path.Combine(folder, ConfigFile)).FindObject("search");
        var endTokens = Model(folder).Integers("eos_token_id");
        return search is { } fields ? GenerationDefaults.Read(fields, endTokens) : new GenerationDefaults { EndTokens = endTokens };
    }

    private static string Graph(string folder)
    {
        var decoder = Decoder(folder);
        if (decoder.Find("pipeline") is not null)
            throw decoder.Invalid("pipeline",
                "splits the decoder into several graphs, which is not supported; `r1 model build <checkpoint>` makes one graph");
        var file = decoder.String("filename");
        return file == Path.GetFileName(file) && file.Length > 0 ? file : throw decoder.Invalid("filename", "must name a file in the same folder");
    }

    private static JsonFields Model(string folder)
    {
        var json = JsonFields.Load(Path.Combine(folder, ConfigFile));
        return json.FindObject("model") ?? throw json.Missing("model");
    }

    private static JsonFields Decoder(string folder)
    {
        var model = Model(folder);
        return model.FindObject("decoder") ?? throw model.Missing("decoder");
    }
}
