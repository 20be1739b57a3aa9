using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Models.Tokenization;

/// <summary>Texts to what an encoder reads, with the same ids as Hugging Face's library gives: special tokens around them, and token types. Nothing
/// is padded. Safe for several threads.</summary>
public sealed class EncoderTokenizer
{
    private readonly HuggingFaceTokenizer _tokenizer;
    private readonly SpecialTokens _special;

    private EncoderTokenizer(HuggingFaceTokenizer tokenizer, SpecialTokens special) => (_tokenizer, _special) = (tokenizer, special);

    /// <summary>Ids are below it.</summary>
    public int VocabularySize => _tokenizer.VocabularySize;

    /// <summary>Whether two texts can be read together.</summary>
    public bool HasPairs => _special.Pair is not null;

    /// <param name="path">Of a tokenizer.json, or of BERT's vocab.txt.</param>
    /// <exception cref="UnsupportedTokenizerException">The file is malformed, or of a kind that cannot be loaded exactly.</exception>
    public static EncoderTokenizer Load(string path)
    {
        var file = TokenizerFile.Read(path);
        try
        {
            return new EncoderTokenizer(HuggingFaceTokenizer.Of(file), SpecialTokens.Parse(file.PostProcessor));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException
            or IndexOutOfRangeException)
        {
            throw new UnsupportedTokenizerException($"The post_processor of {path} is not as Hugging Face writes it: {e.Message}", e);
        }
    }

    /// <summary>A text without anything around it. Special tokens that stand in it are recognised, as the reference does.</summary>
    public IReadOnlyList<int> Ids(string text) => _tokenizer.Encode(text, recogniseAdded: true);

    /// <summary>One or two texts with what stands around them.</summary>
    /// <param name="first">Of <see cref="Ids"/>.</param>
    /// <param name="second">Null for one text.</param>
    /// <param name="longest">How many tokens there may be with what is put around; <see cref="int.MaxValue"/> for any number.</param>
    /// <param name="truncation">What is left out of those that are longer; <see cref="TextTruncation.None"/> leaves them.</param>
    /// <exception cref="InvalidOperationException">Two texts, and the model takes one.</exception>
    public EncodedText Around(IReadOnlyList<int> first, IReadOnlyList<int>? second, int longest, TextTruncation truncation)
    {
        var parts = second is null ? _special.Single : _special.Pair ?? throw new InvalidOperationException("The model takes one text, not two.");
        int firstCount = first.Count, secondCount = second?.Count ?? 0;
        var room = Math.Max(0, longest - SpecialTokens.Added(parts));
        if (truncation != TextTruncation.None && firstCount + secondCount > room)
            (firstCount, secondCount) = second is null ? (room, 0) : Fitting(firstCount, secondCount, room);
        List<int> ids = new(firstCount + secondCount + 4), types = new(firstCount + secondCount + 4);
        foreach (var part in parts)
        {
            var content = part.Text switch { null => part.Ids, 0 => Part(first, firstCount), _ => Part(second!, secondCount) };
            ids.AddRange(content);
            while (types.Count < ids.Count) types.Add(part.Type);
        }

        return new EncodedText([.. ids], [.. types]);

        IReadOnlyList<int> Part(IReadOnlyList<int> all, int count) => count == all.Count ? all
            : [.. truncation == TextTruncation.Left ? all.Skip(all.Count - count) : all.Take(count)];
    }

    /// <summary>What is left of each of two texts: the longer one is cut first, as Hugging Face's strategy longest_first has it.</summary>
    private static (int First, int Second) Fitting(int first, int second, int room)
    {
        int shorter = Math.Min(first, second), longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
        if (shorter + longer > room) (shorter, longer) = (room / 2, (room / 2) + (room % 2));
        return first > second ? (longer, shorter) : (shorter, longer);
    }
}

/// <summary>What an encoder reads of one input.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Types">As many: 0, or 1 for the second text where the model tells the two apart.</param>
public sealed record EncodedText(int[] Ids, int[] Types);
