using System.Text.Json;
using System.Text.RegularExpressions;

namespace R1Serverless.Models.Tokenization;

/// <summary>The <c>pre_tokenizer</c> of a tokenizer.json: cuts a text into the pieces within which tokens merge.</summary>
internal sealed class PreTokenizer
{
    /// <summary>Of every pattern.</summary>
    internal const RegexOptions Options = RegexOptions.Compiled | RegexOptions.CultureInvariant;

    /// <summary>Milliseconds. The pattern is the model's own and runs on text of bounded size; a timeout would make ids depend on the load.</summary>
    internal const int NoTimeout = -1;

    private const string Supported = "Split, Digits and at last ByteLevel are supported";

    private readonly List<SplitStep> _steps = [];
    private bool _ended;

    /// <summary>Whether a space is put before a text that does not begin with one.</summary>
    public bool PrefixSpace { get; private set; }

    /// <exception cref="UnsupportedTokenizerException">It holds a stage, pattern or order that is not supported.</exception>
    public static PreTokenizer Parse(JsonElement? description)
    {
        var preTokenizer = new PreTokenizer();
        if (description is { } root)
        {
            preTokenizer.Add(root);
        }

        return preTokenizer._ended
            ? preTokenizer
            : throw new UnsupportedTokenizerException($"The pre_tokenizer of tokenizer.json has no ByteLevel stage, so this is not byte-level BPE; {Supported}.");
    }

    /// <summary>The pieces in order; none is empty, and together they are the text less what a step removes.</summary>
    /// <param name="text">Well-formed UTF-16.</param>
    public List<(int Start, int Length)> Split(string text)
    {
        var matchable = MatchableText.Of(text);
        List<(int Start, int Length)> pieces = [(0, matchable.Text.Length)], parts = [];
        foreach (var step in _steps)
        {
            parts.Clear();
            foreach (var (start, length) in pieces)
            {
                step.Split(matchable.Text, start, length, parts);
            }

            (pieces, parts) = (parts, pieces);
        }

        for (var i = 0; matchable.IsMapped && i < pieces.Count; i++)
        {
            var start = matchable.Origin(pieces[i].Start);
            pieces[i] = (start, matchable.Origin(pieces[i].Start + pieces[i].Length) - start);
        }

        return pieces;
    }

    private void Add(JsonElement stage)
    {
        var type = stage.Text("type");
        if (_ended)
        {
            throw new UnsupportedTokenizerException($"The pre_tokenizer of tokenizer.json goes on after ByteLevel with '{type}'; {Supported}.");
        }

        switch (type)
        {
            case "Sequence":
                foreach (var inner in stage.GetProperty("pretokenizers").EnumerateArray())
                {
                    Add(inner);
                }

                break;
            case "Split":
                _steps.Add(new SplitStep(Pattern(stage.GetProperty("pattern")), Behavior(stage.Text("behavior")), stage.Flag("invert")));
                break;
            case "Digits":
                _steps.Add(new SplitStep(Compile(stage.Flag("individual_digits") ? KnownPatterns.Digit : KnownPatterns.Digits), SplitBehavior.Isolated, Invert: false));
                break;
            case "ByteLevel":
                AddByteLevel(stage);
                break;
            default:
                throw new UnsupportedTokenizerException($"The pre_tokenizer of tokenizer.json has a stage '{type}'; {Supported}.");
        }
    }

    private void AddByteLevel(JsonElement stage)
    {
        PrefixSpace = stage.Flag("add_prefix_space", missing: true);
        if (PrefixSpace && _steps.Count > 0)
        {
            throw new UnsupportedTokenizerException("The pre_tokenizer of tokenizer.json puts a space before every piece (ByteLevel with add_prefix_space after other stages); that is supported for the whole text only.");
        }

        if (stage.Flag("use_regex", missing: true))
        {
            _steps.Add(new SplitStep(Compile(KnownPatterns.Gpt2), SplitBehavior.Isolated, Invert: false));
        }

        _ended = true;
    }

    private static Regex Pattern(JsonElement pattern) =>
        pattern.TryGetProperty("Regex", out var regex) ? Compile(regex.GetString()!) : Compile(Regex.Escape(pattern.Text("String")));

    private static SplitBehavior Behavior(string name) => Enum.TryParse<SplitBehavior>(name, out var behavior)
        ? behavior
        : throw new UnsupportedTokenizerException(
            $"A Split stage of tokenizer.json has the behavior '{name}'; supported are {string.Join(", ", Enum.GetNames<SplitBehavior>())}.");

    private static Regex Compile(string pattern)
    {
        try
        {
            return KnownPatterns.Find(pattern) ?? new Regex(pattern, Options, TimeSpan.FromMilliseconds(NoTimeout));
        }
        catch (RegexParseException e)
        {
            throw new UnsupportedTokenizerException($"A pattern of tokenizer.json cannot be expressed as a .NET regular expression: {pattern}", e);
        }
    }
}
