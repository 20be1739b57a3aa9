using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>The <c>normalizer</c> of a tokenizer.json: none so far.</summary>
internal sealed class TextNormalizer
{
    /// <exception cref="UnsupportedTokenizerException">It changes texts.</exception>
    public static TextNormalizer Parse(JsonElement? description)
    {
        if (description is { } stage && (stage.Text("type") != "Sequence" || stage.GetProperty("normalizers").GetArrayLength() > 0))
        {
            throw new UnsupportedTokenizerException($"The normalizer of tokenizer.json is '{stage.Text("type")}'; none is supported.");
        }

        return new TextNormalizer();
    }

    public string Normalize(string text) => text;
}
