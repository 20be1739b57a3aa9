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
