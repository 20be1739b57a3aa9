using System.Text;
using System.Text.RegularExpressions;

namespace R1Serverless.Models.Tokenization;

/// <summary>A stage of normalization: puts a text in the place of each match of a pattern.</summary>
internal sealed class PatternReplacement
{
    private readonly Regex _pattern;
    private readonly StandIns _standIns;
    private readonly string _content;

    /// <param name="pattern">As tokenizer.json has it.</param>
    /// <param name="content">Put there as it is, without references to groups.</param>
    /// <exception cref="UnsupportedTokenizerException">.NET can't match it, or it matches no characters at all.</exception>
    public PatternReplacement(string pattern, string content)
    {
        (_pattern, _standIns, _content) = (KnownPatterns.Compiled(pattern), StandIns.For([pattern]), content);
        if (_pattern.IsMatch(string.Empty))
            throw new UnsupportedTokenizerException($"The normalizer of tokenizer.json replaces a pattern that an empty text matches: {pattern}");
    }

    /// <param name="text">Well-formed UTF-16.</param>
    public string Apply(string text)
    {
        var matchable = MatchableText.Of(text, _standIns);
        StringBuilder? replaced = null;
        var end = 0;
        foreach (var match in _pattern.EnumerateMatches(matchable.Text))
        {
            replaced ??= new StringBuilder(text.Length);
            replaced.Append(text, end, matchable.Origin(match.Index) - end).Append(_content);
            end = matchable.Origin(match.Index + match.Length);
        }

        return replaced is null ? text : replaced.Append(text, end, text.Length - end).ToString();
    }
}
