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
    [property: JsonPropertyName("single_word")] bool SingleWord);
