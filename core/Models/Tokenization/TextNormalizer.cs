using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>The <c>normalizer</c> of a tokenizer.json: none, or Unicode's form C (Qwen2).</summary>
internal sealed class TextNormalizer
{
    private readonly bool _composes;

    private TextNormalizer(bool composes) => _composes = composes;

    /// <exception cref="UnsupportedTokenizerException">It does anything but NFC.</exception>
    public static TextNormalizer Parse(JsonElement? description) => new(description is { } stage && Composes(stage));

    public string Normalize(string text) => _composes ? CanonicalComposition.Apply(text) : text;

    private static bool Composes(JsonElement stage) => stage.Text("type") switch
    {
        "NFC" => true,
        "Sequence" => stage.GetProperty("normalizers").EnumerateArray().Count(Composes) > 0,
        var other => throw new UnsupportedTokenizerException($"The normalizer of tokenizer.json is '{other}'; none and NFC are supported."),
    };
}
