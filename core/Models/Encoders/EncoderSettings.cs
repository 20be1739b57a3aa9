namespace R1Serverless.Models.Encoders;

/// <summary>How an encoder reads texts, and what is made of what its graph gives.</summary>
public sealed record EncoderSettings : OutputSettings
{
    /// <summary>Tokens of the longest text, what is put around it included.</summary>
    public required int MaxLength { get; init; }

    /// <summary>The file in the folder that the tokenizer is read from.</summary>
    public required string TokenizerFile { get; init; }

    /// <summary>What is put before every text that a vector is made of; empty for nothing.</summary>
    public string Prompt { get; init; } = "";
}
