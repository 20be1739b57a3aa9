using System.Text.RegularExpressions;

namespace R1Serverless.Models.Tokenization;

/// <summary>The patterns of the models that are served most, compiled with this program, not at each start.</summary>
internal static partial class KnownPatterns
{
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    public const string Digit = @"\p{N}", Digits = @"\p{N}+";

    /// <summary>What SentencePiece's normalizers make one space of.</summary>
    public const string Spaces = " {2,}";

    /// <summary>Of Qwen2 and 2.5, and the R1 models distilled into them.</summary>
    public const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Of Llama 3, and the R1 models distilled into it.</summary>
    public const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Of r1-nano.</summary>
    public const string Nano = @" ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+";

    /// <summary>A pattern of tokenizer.json with <see cref="StagedPreTokenizer.Options"/>.</summary>
    /// <exception cref="UnsupportedTokenizerException">.NET has no equal.</exception>
    public static Regex Compiled(string pattern)
    {
        try
        {
            return Find(pattern) ?? new Regex(
                RegexSyntax.ToDotNet(pattern), StagedPreTokenizer.Options, TimeSpan.FromMilliseconds(StagedPreTokenizer.NoTimeout));
        }
        catch (RegexParseException e)
        {
            throw new UnsupportedTokenizerException($"A pattern of tokenizer.json cannot be expressed as a .NET regular expression: {pattern}", e);
        }
    }

    /// <summary>The pattern compiled; null where it is another.</summary>
    public static Regex? Find(string pattern) => pattern switch
    {
        Gpt2 => OfGpt2,
        Spaces => OfSpaces,
        Digit => OfDigit,
        Digits => OfDigits,
        Qwen2 => OfQwen2,
        Llama3 => OfLlama3,
        Nano => OfNano,
        _ => null,
    };

    [GeneratedRegex(Gpt2, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfGpt2 { get; }

    [GeneratedRegex(Spaces, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfSpaces { get; }

    [GeneratedRegex(Digit, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfDigit { get; }

    [GeneratedRegex(Digits, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfDigits { get; }

    [GeneratedRegex(Qwen2, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfQwen2 { get; }

    [GeneratedRegex(Llama3, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfLlama3 { get; }

    [GeneratedRegex(Nano, StagedPreTokenizer.Options, StagedPreTokenizer.NoTimeout)]
    private static partial Regex OfNano { get; }
}
