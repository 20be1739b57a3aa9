using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>What a Hugging Face tokenizer.json, SentencePiece's tokenizer.model, or BERT's vocab.txt says: byte-level BPE, SentencePiece's BPE,
/// Unigram, or WordPiece.</summary>
internal sealed record TokenizerFile
{
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    public required TextNormalizer Normalizer { get; init; }

    public required StagedPreTokenizer PreTokenizer { get; init; }

    public required TokenSpelling Spelling { get; init; }

    /// <summary>Tokens that text can become. Those that are added and not mere white space are not among them, so that no text becomes one by
    /// merging.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>Tokens of the trained vocabulary that are not in <see cref="Vocabulary"/>, since they are added.</summary>
    public IReadOnlyDictionary<string, int> Reserved { get; init; } = new Dictionary<string, int>();

    /// <summary>The strongest first. Those that would make a token outside the vocabulary, or need one, are left out. Empty for Unigram and
    /// WordPiece.</summary>
    public IReadOnlyList<Merge> Merges { get; init; } = [];

    /// <summary>A piece that is in the vocabulary is that token, whether or not merging leads to it.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Of Unigram: the logarithm of each token's probability, by id; null for BPE.</summary>
    public IReadOnlyList<double>? Scores { get; init; }

    /// <summary>The token of what the vocabulary lacks, in Unigram and WordPiece.</summary>
    public int? Unknown { get; init; }

    /// <summary>Of WordPiece: what tokens begin with that go on within a word; null for others.</summary>
    public string? ContinuingPrefix { get; init; }

    /// <summary>Of WordPiece: characters of the longest word that is not the unknown token as a whole.</summary>
    public int LongestWord { get; init; } = 100;

    /// <summary>What an encoder has around a text, tokenizer.json's <c>post_processor</c>; null where it says nothing of it.</summary>
    public JsonElement? PostProcessor { get; init; }

    /// <summary>How many spaces the decoder drops at the beginning of a text: those that the encoder put there.</summary>
    public int LeadingSpaces { get; init; }

    /// <summary>The same with the reference's ids for an encoder's texts: where Unigram's normalizer makes an added token of a text ("＜/s＞" becomes
    /// "&lt;/s>"), it is that token. An encoder recognises added tokens in every text, so nothing is guarded by keeping them from it.</summary>
    public TokenizerFile ForEncoder() => Scores is null ? this
        : this with { Vocabulary = Vocabulary.Concat(Reserved).ToDictionary(StringComparer.Ordinal) };

    /// <exception cref="UnsupportedTokenizerException">The file is malformed, or of a kind that cannot be loaded exactly.</exception>
    /// <exception cref="InvalidModelException">A tokenizer.model is damaged.</exception>
    public static TokenizerFile Read(string path)
    {
        if (Path.GetExtension(path) == ".model") return SentencePieceFile.Read(path);
        if (Path.GetExtension(path) == ".txt") return VocabularyFile.Read(path);
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
/// <param name="Rank">The lower, the stronger.</param>
internal readonly record struct Merge(int Left, int Right, int Merged, int Rank);
