namespace R1Serverless.Models.Tokenization;

/// <summary>A tokenizer's file that is malformed or of a kind that cannot be loaded exactly; the message says what was found and what is
/// supported.</summary>
public sealed class UnsupportedTokenizerException : InvalidModelException
{
    public UnsupportedTokenizerException(string message)
        : base(message)
    {
    }

    public UnsupportedTokenizerException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
