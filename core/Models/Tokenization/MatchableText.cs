using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// A text in which every character is one UTF-16 unit, so that a .NET regular expression sees characters and not surrogates: characters beyond
/// the BMP are replaced by one of the same category, outside ASCII and the ranges that tokenizers name.
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
    public static MatchableText Of(string text)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
        {
            return new MatchableText(text, null);
        }

        var matchable = new StringBuilder(text.Length);
        var origin = new int[text.Length + 1];
        for (var i = 0; i < text.Length;)
        {
            origin[matchable.Length] = i;
            if (char.IsHighSurrogate(text[i]))
            {
                matchable.Append(StandIn(CharUnicodeInfo.GetUnicodeCategory(text, i)));
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

    private static char StandIn(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u00C0',
        UnicodeCategory.LowercaseLetter => '\u00E0',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u05D0',
        UnicodeCategory.NonSpacingMark => '\u0300',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u0488',
        UnicodeCategory.DecimalDigitNumber => '\u0660',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00B2',
        UnicodeCategory.ConnectorPunctuation => '\u203F',
        UnicodeCategory.DashPunctuation => '\u2010',
        UnicodeCategory.OpenPunctuation => '\u2045',
        UnicodeCategory.ClosePunctuation => '\u2046',
        UnicodeCategory.InitialQuotePunctuation => '\u00AB',
        UnicodeCategory.FinalQuotePunctuation => '\u00BB',
        UnicodeCategory.OtherPunctuation => '\u00A1',
        UnicodeCategory.MathSymbol => '\u00AC',
        UnicodeCategory.CurrencySymbol => '\u00A2',
        UnicodeCategory.ModifierSymbol => '\u00A8',
        UnicodeCategory.OtherSymbol => '\u00A6',
        UnicodeCategory.Format => '\u00AD',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\u0378',
    };
}
