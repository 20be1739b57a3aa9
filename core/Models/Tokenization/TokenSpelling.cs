namespace R1Serverless.Models.Tokenization;

/// <summary>How a vocabulary writes its tokens.</summary>
internal enum TokenSpelling
{
    /// <summary>Each byte is a character of GPT-2's alphabet (<see cref="ByteAlphabet"/>).</summary>
    ByteLevel,

    /// <summary>Characters are themselves, a space is U+2581, and a byte that belongs to no token's character is <c>&lt;0xNN&gt;</c>.</summary>
    SentencePiece,

    /// <summary>WordPiece's, of encoders: parts of words that no text is made of again.</summary>
    Plain,
}
