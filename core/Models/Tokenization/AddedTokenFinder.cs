using System.Buffers;
using R1Serverless.Models.Templates;

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

    /// <summary>The text in order, as stretches of plain text (Id is null; never empty) and added tokens with the white space that they take. Nothing
    /// of a token is a user's, unless the token is mere text.</summary>
    public IEnumerable<(MarkedText Text, int? Id)> Split(MarkedText marked)
    {
        var (text, user) = (marked.Text, marked.UserStretches);
        var (plain, position, next) = (0, 0, 0);
        while (position < text.Length && text.AsSpan(position).IndexOfAny(_anywhere) is >= 0 and var distance)
        {
            var start = position + distance;
            while (next < user.Count && user[next].End <= start)
                next++;
            // Within the user's next stretch, and reaching into it, only those that are text whoever writes them.
            var limit = next < user.Count ? user[next].Start : text.Length;
            var token = _byFirstCharacter[text[start]].FirstOrDefault(t =>
                (t.IsText || t.Content.Length <= limit - start) && text.AsSpan(start).StartsWith(t.Content, StringComparison.Ordinal));
            if (token is null)
            {
                position = start + 1;
                continue;
            }

            var end = position = start + token.Content.Length;
            if (token.SingleWord && (IsWord(text, start - 1) || IsWord(text, end)))
                continue;

            while (token.LeftStrip && start > plain && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            if (start > plain)
                yield return (marked.Slice(plain, start), null);

            yield return (marked.Slice(start, end), token.Id);
            plain = position = end;
        }

        if (plain < text.Length)
            yield return (marked.Slice(plain, text.Length), null);
    }

    private static bool IsWord(string text, int position) =>
        position >= 0 && position < text.Length && (char.IsLetterOrDigit(text[position]) || text[position] == '_');
}
