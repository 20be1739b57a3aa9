using System.Text.Json;
using Microsoft.ML.Tokenizers;

namespace R1Serverless.Models.Tokenization;

/// <summary>The <c>normalizer</c> of a tokenizer.json: none, Unicode's form C (Qwen2) or D, a text put before and texts replaced (Llama 2, Gemma),
/// what BERT does, or SentencePiece's character map (XLM-RoBERTa, T5).</summary>
internal sealed class TextNormalizer : Normalizer
{
    private readonly List<Func<string, string>> _stages = [];

    /// <summary>Whether it drops white space at the beginning.</summary>
    public bool StripsLeft { get; private set; }

    /// <exception cref="UnsupportedTokenizerException">It does anything else.</exception>
    public static TextNormalizer Parse(JsonElement? description)
    {
        TextNormalizer normalizer = new();
        if (description is { } stage) normalizer.Add(stage);
        return normalizer;
    }

    public override string Normalize(string original)
    {
        foreach (var stage in _stages) original = stage(original);
        return original;
    }

    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    /// <summary>As BERT has it.</summary>
    /// <param name="stripsAccents">Null does where it lowers.</param>
    public static TextNormalizer Bert(bool cleans, bool spacesChinese, bool? stripsAccents, bool lowers)
    {
        TextNormalizer normalizer = new();
        normalizer.AddBert(cleans, spacesChinese, stripsAccents, lowers);
        return normalizer;
    }

    private void AddBert(bool cleans, bool spacesChinese, bool? stripsAccents, bool lowers)
    {
        if (cleans) _stages.Add(BertText.Clean);
        if (spacesChinese) _stages.Add(BertText.Spaced);
        if (stripsAccents ?? lowers) _stages.Add(text => BertText.WithoutMarks(CanonicalComposition.Decomposed(text)));
        if (lowers) _stages.Add(BertText.Lower);
    }

    private void Add(JsonElement stage)
    {
        switch (stage.Text("type"))
        {
            case "NFC":
                _stages.Add(CanonicalComposition.Apply);
                break;
            case "NFD":
                _stages.Add(CanonicalComposition.Decomposed);
                break;
            case "Lowercase":
                _stages.Add(BertText.Lower);
                break;
            case "StripAccents":
                _stages.Add(BertText.WithoutAllMarks);
                break;
            case "BertNormalizer":
                AddBert(stage.Flag("clean_text", missing: true), stage.Flag("handle_chinese_chars", missing: true),
                    stage.Member("strip_accents")?.GetBoolean(), stage.Flag("lowercase", missing: true));
                break;
            case "Prepend":
                var prefix = stage.Text("prepend");
                _stages.Add(text => text.Length == 0 ? text : prefix + text);
                break;
            case "Replace" when stage.GetProperty("pattern").Text("String") is { Length: > 0 } old:
                var replacement = stage.Text("content");
                _stages.Add(text => text.Replace(old, replacement, StringComparison.Ordinal));
                break;
            case "Replace" when stage.GetProperty("pattern").Text("Regex") is { Length: > 0 } pattern:
                _stages.Add(new PatternReplacement(pattern, stage.Text("content")).Apply);
                break;
            case "Strip":
                if (stage.Flag("strip_left"))
                {
                    StripsLeft = true;
                    _stages.Add(text => text.TrimStart());
                }

                if (stage.Flag("strip_right")) _stages.Add(text => text.TrimEnd());
                break;
            case "Precompiled":
                _stages.Add(CharacterMap.Parse(stage.Text("precompiled_charsmap")).Apply);
                break;
            case "Sequence":
                foreach (var inner in stage.GetProperty("normalizers").EnumerateArray()) Add(inner);
                break;
            case var other:
                throw new UnsupportedTokenizerException(
                    $"The normalizer of tokenizer.json is '{other}'; none, NFC, NFD, Lowercase, StripAccents, BertNormalizer, Prepend, "
                    + "Replace, Strip and Precompiled are supported.");
        }
    }
}
