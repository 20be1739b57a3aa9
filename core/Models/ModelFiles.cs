namespace R1Serverless.Models;

/// <summary>The names of the files of a model folder, as Hugging Face has them.</summary>
public static class ModelFiles
{
    public const string ConfigFile = "config.json";
    public const string GenerationFile = "generation_config.json";
    public const string TokenizerFile = "tokenizer.json";

    /// <summary>SentencePiece's own form of a tokenizer, read where there is no <see cref="TokenizerFile"/>.</summary>
    public const string SentencePieceFile = "tokenizer.model";

    /// <summary>BERT's own form of a tokenizer, read where there is no <see cref="TokenizerFile"/>; for encoders.</summary>
    public const string VocabularyFile = "vocab.txt";

    public const string TokenizerConfigFile = "tokenizer_config.json";

    /// <summary>What a tokenizer is read from, and what its own library puts beside that.</summary>
    public static IReadOnlyList<string> TokenizerFiles { get; } =
        [TokenizerFile, SentencePieceFile, VocabularyFile, TokenizerConfigFile, "special_tokens_map.json", "added_tokens.json"];

    /// <summary>sentence-transformers' steps from tokens to a vector.</summary>
    public const string ModulesFile = "modules.json";

    /// <summary>What sentence-transformers puts before texts.</summary>
    public const string PromptsFile = "config_sentence_transformers.json";

    /// <summary>How many tokens sentence-transformers reads of a text.</summary>
    public const string LengthFile = "sentence_bert_config.json";

    /// <summary>A label on each line; the first that is there counts.</summary>
    public static IReadOnlyList<string> LabelFiles { get; } = ["labels.txt", "labels"];

    /// <summary>How a graph takes the events of series.</summary>
    public const string SeriesFile = "r1-series.json";

    /// <summary>How images become a graph's input.</summary>
    public const string ImageFile = "preprocessor_config.json";

    /// <summary>The chat template by itself, where tokenizer_config.json doesn't hold it.</summary>
    public const string ChatTemplateFile = "chat_template.jinja";

    /// <summary>The chat template of models that read more than text.</summary>
    public const string ChatTemplateJsonFile = "chat_template.json";

    /// <summary>Tasks with their answers, as JSON lines; see `r1 model evaluate`. May be absent.</summary>
    public const string EvaluationFile = "evaluation.jsonl";

    /// <summary>Which of its two files a model's tokenizer is read from; the first where there is neither.</summary>
    public static string Tokenizer(string folder) =>
        File.Exists(Path.Combine(folder, TokenizerFile)) || !File.Exists(Path.Combine(folder, SentencePieceFile)) ? TokenizerFile : SentencePieceFile;
}
