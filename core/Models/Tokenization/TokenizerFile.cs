using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>What a Hugging Face tokenizer.json of byte-level BPE says.</summary>
internal sealed record TokenizerFile
{
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    public required TextNormalizer Normalizer { get; init; }

    public required PreTokenizer PreTokenizer { get; init; }

    /// <summary>Tokens that text can merge into, in the byte-level alphabet. Added tokens are not among them, so that no text becomes one by merging.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>The strongest first. Those that would make an added token, or need one, are left out.</summary>
    public required IReadOnlyList<Merge> Merges { get; init; }

    /// <summary>A piece that is in the vocabulary is that token, whether or not merging leads to it.</summary>
    public required bool IgnoreMerges { get; init; }

    /// <exception cref="UnsupportedTokenizerException">The file is malformed, or of a kind that cannot be loaded exactly.</exception>
    public static TokenizerFile Read(string path)
    {
        try
        {
            return TokenizerFileReader.Read(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new UnsupportedTokenizerException($"{path} is not a tokenizer.json as Hugging Face writes it: {e.Message}", e);
        }
    }
}

/// <summary>Two tokens that become one where they meet.</summary>
/// <param name="Left">The id of the first.</param>
/// <param name="Right">The id of the second.</param>
/// <param name="Merged">The id of what they become.</param>
internal readonly record struct Merge(int Left, int Right, int Merged);
