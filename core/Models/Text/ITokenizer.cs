using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>Text to token ids and back, where it matters who wrote the text and where tokens are bytes. Safe for several threads.</summary>
public interface ITokenizer
{
    int VocabularySize { get; }

    /// <summary>How many spaces at the beginning of a decoded text are dropped, because encoding puts them before every text
    /// (SentencePiece).</summary>
    int LeadingSpaces => 0;

    /// <summary>The ids of a text. Added tokens (such as <c>&lt;think&gt;</c>) are recognised only where <paramref name="recogniseAdded"/> is set, so
    /// that a user's text cannot forge the template's control tokens; those that are plain text, such as runs of line breaks, always are.</summary>
    IReadOnlyList<int> Encode(string text, bool recogniseAdded);

    /// <summary>The ids of a text whose added tokens are recognised only where nothing of them is a user's. What stands between two of them is
    /// encoded as one.</summary>
    IReadOnlyList<int> Encode(MarkedText text);

    /// <summary>The id of an added token's exact text, or null.</summary>
    int? AddedToken(string text);

    /// <summary>The UTF-8 bytes of a token: possibly part of a character; empty for special tokens and unknown ids.</summary>
    ReadOnlySpan<byte> Bytes(int id);
}
