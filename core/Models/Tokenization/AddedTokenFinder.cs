using System.Buffers;

namespace R1Serverless.Models.Tokenization;

/// <summary>Finds added tokens in a text: the leftmost first, the longest of those that begin at one place.</summary>
internal sealed class AddedTokenFinder
{
    private readonly SearchValues<string> _anywhere;
    private readonly ILookup<char, AddedToken> _byFirstCharacter;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        var known = tokens.Where(t => t.Content.Length > 0).ToList();
        _anywhere = SearchValues.Create([.. known.Select(t => t.Content)], StringComparison.Ordinal);
        _byFirstCharacter = known.OrderByDescending(t => t.Content.Length).ToLookup(t => t.Content[0]);
    }

    /// <summary>The text in order, as stretches of plain text (Id is null; never empty) and added tokens.</summary>
    public IEnumerable<(string Text, int? Id)> Split(string text)
    {
        var (plain, position) = (0, 0);
        while (position < text.Length && text.AsSpan(position).IndexOfAny(_anywhere) is >= 0 and var distance)
        {
            var start = position + distance;
            var token = _byFirstCharacter[text[start]].First(t => text.AsSpan(start).StartsWith(t.Content, StringComparison.Ordinal));
            var end = position = start + token.Content.Length;
            if (token.SingleWord && (IsWord(text, start - 1) || IsWord(text, end)))
            {
                continue;
            }

            while (token.LeftStrip && start > plain && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            if (start > plain)
            {
                yield return (text[plain..start], null);
            }

            yield return (token.Content, token.Id);
            plain = position = end;
        }

        if (plain < text.Length)
        {
            yield return (text[plain..], null);
        }
    }

    private static bool IsWord(string text, int position) =>
        position >= 0 && position < text.Length && (char.IsLetterOrDigit(text[position]) || text[position] == '_');
}
