namespace R1Serverless.Models.Templates;

/// <summary>Cuts texts into parts and joins parts, as Python does; every part keeps its marks.</summary>
internal static class TextCutting
{
    /// <param name="characters">What is taken off; null for white space.</param>
    public static MarkedText Strip(MarkedText text, string? characters, bool left, bool right)
    {
        var (start, end) = (0, text.Length);
        while (left && start < end && IsStripped(text.Text[start]))
            start++;
        while (right && end > start && IsStripped(text.Text[end - 1]))
            end--;
        return text.Slice(start, end);

        bool IsStripped(char c) => characters?.Contains(c, StringComparison.Ordinal) ?? PythonText.IsSpace(c);
    }

    /// <param name="most">How often it is cut; without limit where negative.</param>
    /// <param name="fromRight">Whether the last places are cut first.</param>
    /// <exception cref="TemplateException">The separator is empty.</exception>
    public static List<MarkedText> Split(MarkedText text, string separator, long most, bool fromRight)
    {
        if (separator.Length == 0)
            throw new TemplateException("A string can't be split at an empty one.");
        List<MarkedText> parts = [];
        var (start, end) = (0, text.Length);
        while (most < 0 || parts.Count < most)
        {
            var at = fromRight
                ? text.Text.AsSpan(0, end).LastIndexOf(separator)
                : text.Text.IndexOf(separator, start, StringComparison.Ordinal);
            if (at < 0)
                break;
            parts.Add(fromRight ? text.Slice(at + separator.Length, end) : text.Slice(start, at));
            (start, end) = fromRight ? (start, at) : (at + separator.Length, end);
        }

        parts.Add(text.Slice(start, end));
        if (fromRight)
            parts.Reverse();
        return parts;
    }

    /// <summary>What stands between white space. After <paramref name="most"/> cuts the rest stays whole, with the white space at its far
    /// end.</summary>
    public static List<MarkedText> Words(MarkedText text, long most, bool fromRight)
    {
        List<MarkedText> words = [];
        for (var rest = Strip(text, null, left: !fromRight, right: fromRight); rest.Length > 0;)
        {
            if (most >= 0 && words.Count == most)
            {
                words.Add(rest);
                break;
            }

            var place = fromRight ? LastSpace(rest.Text) : FirstSpace(rest.Text);
            if (place < 0)
            {
                words.Add(rest);
                break;
            }

            words.Add(fromRight ? rest.Slice(place + 1, rest.Length) : rest.Slice(0, place));
            rest = fromRight
                ? Strip(rest.Slice(0, place), null, left: false, right: true)
                : Strip(rest.Slice(place, rest.Length), null, left: true, right: false);
        }

        if (fromRight)
            words.Reverse();
        return words;
    }

    public static List<MarkedText> Lines(MarkedText text, bool keepsEnds)
    {
        List<MarkedText> lines = [];
        for (var start = 0; start < text.Length;)
        {
            var end = start;
            while (end < text.Length && !IsLineEnd(text.Text[end]))
                end++;
            var next = end == text.Length ? end : text.Text.AsSpan(end).StartsWith("\r\n") ? end + 2 : end + 1;
            lines.Add(text.Slice(start, keepsEnds ? next : end));
            start = next;
        }

        return lines;
    }

    /// <param name="count">How often at most; without limit where negative.</param>
    /// <exception cref="TemplateException">The result is too long.</exception>
    public static MarkedText Replace(MarkedText text, string old, MarkedText by, long count)
    {
        var replaced = new MarkedTextBuilder();
        var at = 0;
        for (var done = 0L; count < 0 || done < count; done++)
        {
            // An empty text stands before every character, and at the end.
            var found = old.Length > 0 ? text.Text.IndexOf(old, at, StringComparison.Ordinal)
                : done == 0 ? 0
                : at < text.Length ? PythonText.Next(text.Text, at)
                : -1;
            if (found < 0)
                break;
            replaced.Append(text.Slice(at, found)).Append(by);
            at = found + old.Length;
        }

        return replaced.Append(text.Slice(at, text.Length)).End();
    }

    /// <exception cref="TemplateException">The result is too long.</exception>
    public static MarkedText Join(IEnumerable<MarkedText> parts, MarkedText separator)
    {
        var joined = new MarkedTextBuilder();
        var isFirst = true;
        foreach (var part in parts)
        {
            if (!isFirst)
                joined.Append(separator);
            joined.Append(part);
            isFirst = false;
        }

        return joined.End();
    }

    /// <summary>How often a part is in a text, without overlaps.</summary>
    public static int CountOf(string text, string part)
    {
        if (part.Length == 0)
            return PythonText.Characters(text) + 1;
        var count = 0;
        for (var at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
            count++;
        return count;
    }

    private static bool IsLineEnd(char c) => c is '\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028' or '\u2029';

    private static int FirstSpace(string text)
    {
        var at = 0;
        while (at < text.Length && !PythonText.IsSpace(text[at]))
            at++;
        return at == text.Length ? -1 : at;
    }

    private static int LastSpace(string text)
    {
        var at = text.Length - 1;
        while (at >= 0 && !PythonText.IsSpace(text[at]))
            at--;
        return at;
    }
}
