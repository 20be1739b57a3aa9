using System.Buffers;
using System.Collections.Frozen;
using System.Text;
using Microsoft.ML.Tokenizers;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// A tokenizer as a Hugging Face tokenizer.json describes it, with the same ids as theirs: byte-level BPE (GPT-2, Llama 3, Qwen2, DeepSeek),
/// SentencePiece's BPE (Llama 2, Mistral, Phi-3, Gemma), Unigram, and encoders' WordPiece. As a <see cref="Tokenizer"/> it recognises added tokens
/// in every text, and adds none around it. Safe for several threads.
/// </summary>
public sealed class HuggingFaceTokenizer : Tokenizer, ITokenizer
{
    private readonly TextNormalizer _normalizer;
    private readonly StagedPreTokenizer _preTokenizer;
    private readonly IPieceModel _model;
    private readonly AddedTokens _all, _textOnly;
    private readonly FrozenDictionary<string, int> _addedIds;
    private readonly TokenBytes _bytes;

    private HuggingFaceTokenizer(TokenizerFile file)
    {
        _normalizer = file.Normalizer;
        _preTokenizer = file.PreTokenizer;
        _model = file.ContinuingPrefix is not null ? new WordPieceModel(file) : file.Scores is null ? new PieceMerger(file) : new UnigramModel(file);
        _all = new AddedTokens(file.AddedTokens, file.Normalizer);
        _textOnly = new AddedTokens([.. file.AddedTokens.Where(t => t.IsText)], file.Normalizer);
        _addedIds = file.AddedTokens.ToFrozenDictionary(t => t.Content, t => t.Id);
        _bytes = new TokenBytes(file);
        LeadingSpaces = file.LeadingSpaces;
    }

    public override Normalizer Normalizer => _normalizer;

    /// <summary>Cuts what the <see cref="Normalizer"/> gives, but for the space that some vocabularies want in front.</summary>
    public override PreTokenizer PreTokenizer => _preTokenizer;

    public int VocabularySize => _bytes.Count;

    public int LeadingSpaces { get; }

    /// <param name="path">Of a tokenizer.json, or of SentencePiece's tokenizer.model.</param>
    /// <exception cref="UnsupportedTokenizerException">The file is malformed, or of a kind that cannot be loaded exactly.</exception>
    public static HuggingFaceTokenizer Load(string path) => TokenizerFile.Read(path) is { ContinuingPrefix: null } file ? new(file)
        : throw new UnsupportedTokenizerException($"{path} is WordPiece, which drops white space: it is for encoders, and no text can be generated.");

    /// <summary>An encoder's.</summary>
    internal static HuggingFaceTokenizer Of(TokenizerFile file) => new(file.ForEncoder());

    public IReadOnlyList<int> Encode(string text, bool recogniseAdded)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode(recogniseAdded ? MarkedText.OfTemplate(text) : MarkedText.OfUser(text));
    }

    public IReadOnlyList<int> Encode(MarkedText text)
    {
        var ids = new List<int>((text.Length / 3) + 4);
        foreach (var (stretch, id, isFirst) in Stretches(text, IsOnlyOfUser(text) ? _textOnly : _all, normalizes: true))
        {
            if (id is { } added)
            {
                ids.Add(added);
                continue;
            }

            // Once more where stretches were normalized apart: what meets at their borders may compose.
            var whole = stretch.HasUserText && !IsOnlyOfUser(stretch) ? _normalizer.Normalize(stretch.Text) : stretch.Text;
            var prepared = _preTokenizer.Prepare(whole, isFirst);
            foreach (var (start, length) in _preTokenizer.Split(prepared)) _model.Append(prepared.AsSpan(start, length), ids);
        }

        return ids;
    }

    public int? AddedToken(string text) => _addedIds.TryGetValue(text, out var id) ? id : null;

    public ReadOnlySpan<byte> Bytes(int id) => _bytes.Of(id);

    public override string Decode(IEnumerable<int> ids)
    {
        IncrementalDecoder decoder = new(this);
        var text = new StringBuilder();
        foreach (var id in ids) text.Append(decoder.Append(id));
        return text.Append(decoder.Flush()).ToString();
    }

    /// <summary>Of a character that is several tokens, all of them are consumed before it is written.</summary>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        IncrementalDecoder decoder = new(this);
        (idsConsumed, charsWritten) = (0, 0);
        foreach (var id in ids)
        {
            var text = decoder.Append(id);
            if (!text.TryCopyTo(destination[charsWritten..])) return OperationStatus.DestinationTooSmall;
            charsWritten += text.Length;
            idsConsumed++;
        }

        var rest = decoder.Flush();
        if (!rest.TryCopyTo(destination[charsWritten..])) return OperationStatus.DestinationTooSmall;
        charsWritten += rest.Length;
        return OperationStatus.Done;
    }

    /// <summary>Offsets are positions in the normalized text, with whatever is put in front of it. A character that is several tokens belongs to the
    /// last of them; the others are empty.</summary>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var normalized = new StringBuilder();
        List<EncodedToken> tokens = [];
        foreach (var (stretch, id, isFirst) in Stretches(
            MarkedText.OfTemplate(text ?? textSpan.ToString()), _all, settings.ConsiderNormalization))
        {
            var start = normalized.Length;
            var prepared = id is null ? _preTokenizer.Prepare(stretch.Text, isFirst) : stretch.Text;
            normalized.Append(prepared);
            if (id is { } added)
            {
                tokens.Add(new EncodedToken(added, stretch.Text, start..normalized.Length));
                continue;
            }

            foreach (var piece in settings.ConsiderPreTokenization ? _preTokenizer.Split(prepared) : [(Start: 0, prepared.Length)])
            {
                var from = start + piece.Start;
                foreach (var (token, end) in _model.Place(prepared.AsSpan(piece.Start, piece.Length)))
                {
                    var to = start + piece.Start + end;
                    tokens.Add(new EncodedToken(token, _bytes.Spelled(token), from..to));
                    from = to;
                }
            }
        }

        var isWhole = tokens.Count <= settings.MaxTokenCount;
        if (!isWhole) tokens.RemoveRange(settings.MaxTokenCount, tokens.Count - settings.MaxTokenCount);
        return new EncodeResults<EncodedToken>
        {
            Tokens = tokens,
            NormalizedText = normalized.ToString(),
            CharsConsumed = isWhole ? normalized.Length : tokens.Count == 0 ? 0 : tokens[^1].Offset.End.Value,
        };
    }

    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        // Without a limit nobody asks where tokens end.
        if (settings is not { ConsiderNormalization: true, ConsiderPreTokenization: true, MaxTokenCount: int.MaxValue })
            return base.EncodeToIds(text, textSpan, settings);

        text ??= textSpan.ToString();
        return new EncodeResults<int> { Tokens = Encode(text, recogniseAdded: true), CharsConsumed = text.Length };
    }

    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        EncodeToIds(text, textSpan, settings).Tokens.Count;

    private static bool IsOnlyOfUser(MarkedText text) => text.UserStretches is [{ Start: 0, End: var end }] && end == text.Length;

    /// <summary>The text in order: added tokens, and normalized text between them, which is never empty.</summary>
    private IEnumerable<(MarkedText Text, int? Id, bool IsFirst)> Stretches(MarkedText text, AddedTokens added, bool normalizes)
    {
        if (text.Text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0)
        {
            // A surrogate alone has no UTF-8; the round trip makes it U+FFFD, as every JSON writer does: one unit again.
            text = text.Map(units => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(units)));
        }

        var isFirst = true;
        foreach (var (raw, rawId) in added.Raw.Split(text))
        {
            foreach (var (stretch, id) in rawId is null
                ? added.Normalized.Split(normalizes ? raw.MapStretches(_normalizer.Normalize) : raw) : [(raw, rawId)])
            {
                yield return (stretch, id, isFirst);
                isFirst = false;
            }
        }
    }

    /// <summary>Those that are looked for before normalization, and after.</summary>
    private sealed record AddedTokens(AddedTokenFinder Raw, AddedTokenFinder Normalized)
    {
        public AddedTokens(IReadOnlyList<AddedToken> tokens, TextNormalizer normalizer)
            : this(new AddedTokenFinder(tokens.Where(t => !t.Normalized)),
                new AddedTokenFinder(tokens.Where(t => t.Normalized).Select(t => t with { Content = normalizer.Normalize(t.Content) })))
        {
        }
    }
}
