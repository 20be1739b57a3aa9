namespace R1Serverless.Models;

/// <summary>Text to token ids and back. Safe for several threads.</summary>
public interface ITokenizer
{
    int VocabularySize { get; }

    /// <summary>The ids of a text. Added tokens (such as <c>&lt;think&gt;</c>) are recognised only where <paramref name="recogniseAdded"/> is set, so that a
    /// user's text cannot forge the template's control tokens.</summary>
    IReadOnlyList<int> Encode(string text, bool recogniseAdded);

    /// <summary>The id of an added token's exact text, or null.</summary>
    int? AddedToken(string text);

    /// <summary>The UTF-8 bytes of a token: possibly part of a character; empty for special tokens and unknown ids.</summary>
    ReadOnlySpan<byte> Bytes(int id);
}
