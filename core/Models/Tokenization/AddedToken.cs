using System.Text.Json.Serialization;

namespace R1Serverless.Models.Tokenization;

/// <summary>An entry of tokenizer.json's <c>added_tokens</c>: a text that is one token wherever it is recognised.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Content">Its exact text.</param>
/// <param name="Special">Left out when decoding.</param>
/// <param name="Normalized">Looked for in the normalized text instead of the raw one.</param>
/// <param name="LeftStrip">Takes the white space before it.</param>
/// <param name="RightStrip">Takes the white space after it.</param>
/// <param name="SingleWord">Recognised only where no word character touches it.</param>
internal sealed record AddedToken(
    [property: JsonPropertyName("id")] int Id,
    [property: JsonPropertyName("content")] string Content,
    [property: JsonPropertyName("special")] bool Special,
    [property: JsonPropertyName("normalized")] bool Normalized,
    [property: JsonPropertyName("lstrip")] bool LeftStrip,
    [property: JsonPropertyName("rstrip")] bool RightStrip,
    [property: JsonPropertyName("single_word")] bool SingleWord)
{
    /// <summary>Plain text rather than control, so that it is recognised in every text: white space alone (Gemma's runs of line breaks, Phi-2's of
    /// spaces), and what SentencePiece was told to keep whole when it was trained (Gemma's HTML tags).</summary>
    [JsonIgnore]
    public bool IsText { get; init; }

    /// <param name="isTrained">Whether it is in the vocabulary that SentencePiece was trained with, not put after it.</param>
    public AddedToken AsTextIf(bool isTrained) =>
        this with { IsText = !Special && (isTrained || Content.All(c => char.IsWhiteSpace(c) || c == TokenBytes.Space)) };
}
