using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// A text in which every character is one UTF-16 unit, so that a .NET regular expression sees characters and not surrogates: characters beyond
/// the BMP are replaced by one of the same category.
/// </summary>
internal readonly struct MatchableText
{
    private readonly int[]? _origin;

    private MatchableText(string text, int[]? origin)
    {
        Text = text;
        _origin = origin;
    }

    public string Text { get; }

    /// <summary>Whether positions differ from the original's.</summary>
    public bool IsMapped => _origin is not null;

    /// <param name="text">Well-formed UTF-16.</param>
    /// <param name="standIns">Of the patterns that the text is matched with.</param>
    public static MatchableText Of(string text, StandIns standIns)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
            return new MatchableText(text, null);

        var matchable = new StringBuilder(text.Length);
        var origin = new int[text.Length + 1];
        for (var i = 0; i < text.Length;)
        {
            origin[matchable.Length] = i;
            if (char.IsHighSurrogate(text[i]))
            {
                matchable.Append(standIns[CharUnicodeInfo.GetUnicodeCategory(text, i)]);
                i += 2;
            }
            else
            {
                matchable.Append(text[i++]);
            }
        }

        origin[matchable.Length] = text.Length;
        return new MatchableText(matchable.ToString(), origin);
    }

    /// <summary>Where a position of <see cref="Text"/> lies in the original.</summary>
    public int Origin(int position) => _origin is null ? position : _origin[position];
}
