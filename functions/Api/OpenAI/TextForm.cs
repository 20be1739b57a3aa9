using System.Text.Json.Serialization;

namespace R1Serverless.Api.OpenAI;

/// <summary>How the answer to a call of an encoder is given: what of the call is not about the numbers themselves.</summary>
/// <param name="Field">How the call names its texts: <c>input</c>, <c>inputs</c>, <c>texts</c> or <c>documents</c>.</param>
internal sealed record TextForm(string Field)
{
    public const string Input = "input", Inputs = "inputs", Texts = "texts", Documents = "documents";

    /// <summary>Vectors as base64 of their floats, little-endian, not as lists of numbers.</summary>
    public bool IsBase64 { get; init; }

    /// <summary>One input was sent, not a list: its answer is no list either.</summary>
    public bool IsSingle { get; init; }

    /// <summary>How many of the best are given; null for all.</summary>
    public int? Top { get; init; }

    /// <summary>The texts that the answer repeats; null where none is wanted.</summary>
    [JsonIgnore]
    public IReadOnlyList<string>? Repeated { get; init; }

    /// <summary>As answers are given where the call is no longer at hand.</summary>
    public static TextForm Of(CompletionApi api) => new(CompletionCall.FieldOfPrompt(api));
}
