namespace R1Serverless.Models.Templates;

/// <summary>Words for messages.</summary>
internal static class Sentence
{
    private const int LongestQuote = 40;

    /// <summary>With a capital letter.</summary>
    public static string Begin(string words) => char.ToUpperInvariant(words[0]) + words[1..];

    /// <summary>A value, cut short.</summary>
    public static string Quote(Value value)
    {
        var text = value.ToRepresentation().Text;
        return text.Length <= LongestQuote ? text : $"{text[..LongestQuote]}…";
    }
}
