using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace R1Serverless.Models.Tokenization;

/// <summary>The <c>pre_tokenizer</c> of a tokenizer.json: cuts a text into the pieces within which tokens merge.</summary>
internal sealed class StagedPreTokenizer : PreTokenizer
{
    /// <summary>Of every pattern.</summary>
    internal const RegexOptions Options = RegexOptions.Compiled | RegexOptions.CultureInvariant;

    /// <summary>Milliseconds. The pattern is the model's own and runs on text of bounded size; a timeout would make ids depend on the load.</summary>
    internal const int NoTimeout = -1;

    private readonly TokenSpelling _spelling;
    private readonly List<SplitStep> _steps = [];
    private readonly List<string> _patterns = [];
    private StandIns _standIns = StandIns.For([]);
    private bool _ended;
    private bool _escapesSpaces;
    private bool _splitsWords;
    private char _prefix;

    private StagedPreTokenizer(TokenSpelling spelling) => _spelling = spelling;

    /// <summary>Whether only the text that begins the whole gets a space in front.</summary>
    public bool PrefixesFirstOnly { get; private set; }

    private string Supported => _spelling == TokenSpelling.ByteLevel ? "Split, Digits and at last ByteLevel are supported"
        : _spelling == TokenSpelling.Plain ? "BertPreTokenizer, WhitespaceSplit, Punctuation, Split and Digits are supported with WordPiece"
        : "Split, Digits and, first of all, Metaspace, or WhitespaceSplit with Metaspace right behind it, are supported where the vocabulary is "
            + "SentencePiece's";

    /// <exception cref="UnsupportedTokenizerException">It holds a stage, pattern or order that is not supported.</exception>
    public static StagedPreTokenizer Parse(JsonElement? description, TokenSpelling spelling)
    {
        var preTokenizer = new StagedPreTokenizer(spelling);
        if (description is { } root)
            preTokenizer.Add(root);

        if (spelling == TokenSpelling.ByteLevel && !preTokenizer._ended)
            throw new UnsupportedTokenizerException("The pre_tokenizer of tokenizer.json has no ByteLevel stage, and its model no byte_fallback: "
                + $"this is neither byte-level BPE nor SentencePiece's; {preTokenizer.Supported}.");

        if (preTokenizer is { _splitsWords: true, _escapesSpaces: false })
            throw new UnsupportedTokenizerException(
                $"The pre_tokenizer of tokenizer.json has WhitespaceSplit without Metaspace; {preTokenizer.Supported}.");

        preTokenizer._standIns = StandIns.For(preTokenizer._patterns);
        return preTokenizer;
    }

    /// <summary>As BERT has it: words, and each punctuation mark by itself.</summary>
    public static StagedPreTokenizer Bert()
    {
        var preTokenizer = new StagedPreTokenizer(TokenSpelling.Plain);
        preTokenizer.AddBert();
        preTokenizer._standIns = StandIns.For(preTokenizer._patterns);
        return preTokenizer;
    }

    /// <summary>A text as its pieces are cut from it: with the space in front that the stages ask for, and spaces as the vocabulary writes
    /// them.</summary>
    /// <param name="text">Text between added tokens.</param>
    /// <param name="isFirst">Whether it begins where the whole text does.</param>
    public string Prepare(string text, bool isFirst)
    {
        if (_splitsWords) return Words(text);
        if (_escapesSpaces) text = text.Replace(' ', TokenBytes.Space);
        return _prefix == 0 || text.Length == 0 || text[0] == _prefix || (PrefixesFirstOnly && !isFirst) ? text : _prefix + text;
    }

    /// <summary>Each word with the prefix, by which Metaspace's step tells them apart again.</summary>
    private string Words(string text)
    {
        StringBuilder words = new(text.Length + 8);
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsWhiteSpace(text[i])) continue;
            if ((i == 0 || char.IsWhiteSpace(text[i - 1])) && text[i] != _prefix) words.Append(_prefix);
            words.Append(text[i]);
        }

        return words.ToString();
    }

    /// <summary>The pieces in order; none is empty, and together they are the text less what a step removes.</summary>
    /// <param name="text">Well-formed UTF-16, after <see cref="Prepare"/>.</param>
    public List<(int Start, int Length)> Split(string text)
    {
        var matchable = MatchableText.Of(text, _standIns);
        List<(int Start, int Length)> pieces = [(0, matchable.Text.Length)], parts = [];
        foreach (var step in _steps)
        {
            parts.Clear();
            foreach (var (start, length) in pieces)
                step.Split(matchable.Text, start, length, parts);

            (pieces, parts) = (parts, pieces);
        }

        for (var i = 0; matchable.IsMapped && i < pieces.Count; i++)
        {
            var start = matchable.Origin(pieces[i].Start);
            pieces[i] = (start, matchable.Origin(pieces[i].Start + pieces[i].Length) - start);
        }

        return pieces;
    }

    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => Split(text);

    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => Split(text.ToString());

    private void Add(JsonElement stage)
    {
        var type = stage.Text("type");
        if (_ended)
            throw new UnsupportedTokenizerException($"The pre_tokenizer of tokenizer.json goes on after ByteLevel with '{type}'; {Supported}.");

        switch (type)
        {
            case "Sequence":
                foreach (var inner in stage.GetProperty("pretokenizers").EnumerateArray())
                    Add(inner);

                break;
            case "Split":
                var pattern = stage.GetProperty("pattern");
                AddStep(pattern.Member("Regex")?.GetString() ?? Regex.Escape(pattern.Text("String")), Behavior(stage.Text("behavior")),
                    stage.Flag("invert"));
                break;
            case "Digits":
                AddStep(stage.Flag("individual_digits") ? KnownPatterns.Digit : KnownPatterns.Digits, SplitBehavior.Isolated);
                break;
            case "BertPreTokenizer" when _spelling == TokenSpelling.Plain:
                AddBert();
                break;
            case "WhitespaceSplit" when _spelling == TokenSpelling.Plain:
                AddStep(BertText.WhiteSpace, SplitBehavior.Removed);
                break;
            case "Punctuation" when _spelling == TokenSpelling.Plain:
                AddStep(BertText.Punctuation, stage.Member("behavior") is { } behavior ? Behavior(behavior.GetString()!) : SplitBehavior.Isolated);
                break;
            case "ByteLevel" when _spelling == TokenSpelling.ByteLevel:
                AddByteLevel(stage);
                break;
            case "WhitespaceSplit" when _spelling == TokenSpelling.SentencePiece && _steps.Count == 0 && !_escapesSpaces:
                _splitsWords = true;
                break;
            case "Metaspace" when _spelling == TokenSpelling.SentencePiece:
                AddMetaspace(stage);
                break;
            default:
                throw new UnsupportedTokenizerException($"The pre_tokenizer of tokenizer.json has a stage '{type}'; {Supported}.");
        }
    }

    private void AddBert()
    {
        AddStep(BertText.WhiteSpace, SplitBehavior.Removed);
        AddStep(BertText.Punctuation, SplitBehavior.Isolated);
    }

    private void AddByteLevel(JsonElement stage)
    {
        if (stage.Flag("add_prefix_space", missing: true))
        {
            if (_steps.Count > 0)
                throw new UnsupportedTokenizerException("The pre_tokenizer of tokenizer.json puts a space before every piece (ByteLevel with "
                    + "add_prefix_space after other stages); that is supported for the whole text only.");

            _prefix = ' ';
        }

        if (stage.Flag("use_regex", missing: true)) AddStep(KnownPatterns.Gpt2, SplitBehavior.Isolated);
        _ended = true;
    }

    private void AddMetaspace(JsonElement stage)
    {
        if (_steps.Count > 0 || _escapesSpaces || stage.Text("replacement") != TokenBytes.Space.ToString())
            throw new UnsupportedTokenizerException("The pre_tokenizer of tokenizer.json has a Metaspace stage after others, or with another "
                + $"character than U+2581; {Supported}.");

        var scheme = stage.Member("prepend_scheme")?.GetString() ?? (stage.Flag("add_prefix_space", missing: true) ? "always" : "never");
        _escapesSpaces = true;
        (_prefix, PrefixesFirstOnly) = scheme switch
        {
            "always" => (TokenBytes.Space, false),
            "first" => (TokenBytes.Space, true),
            "never" => ('\0', false),
            _ => throw new UnsupportedTokenizerException(
                $"The Metaspace stage of tokenizer.json has the prepend_scheme '{scheme}'; supported are always, first and never."),
        };
        var splits = stage.Flag("split", missing: true);
        if (_splitsWords && !(splits && scheme == "always"))
            throw new UnsupportedTokenizerException("The pre_tokenizer of tokenizer.json has a Metaspace stage after WhitespaceSplit that does not "
                + "split, or whose prepend_scheme is not always; both are needed there.");

        if (splits) AddStep(TokenBytes.Space.ToString(), SplitBehavior.MergedWithNext);
    }

    private void AddStep(string pattern, SplitBehavior behavior, bool invert = false)
    {
        _steps.Add(new SplitStep(KnownPatterns.Compiled(pattern), behavior, invert));
        _patterns.Add(pattern);
    }

    private static SplitBehavior Behavior(string name) => Enum.TryParse<SplitBehavior>(name, out var behavior)
        ? behavior
        : throw new UnsupportedTokenizerException(
            $"A Split stage of tokenizer.json has the behavior '{name}'; supported are {string.Join(", ", Enum.GetNames<SplitBehavior>())}.");
}
