using System.Text.RegularExpressions;

namespace R1Serverless.Models.Tokenization;

/// <summary>What becomes of a match of a <see cref="SplitStep"/>, in Hugging Face's words.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>One stage of pre-tokenization: cuts a piece at the matches of a pattern.</summary>
/// <param name="Pattern">Matched against the piece alone: look-around sees nothing beyond it.</param>
/// <param name="Behavior">What becomes of the matches.</param>
/// <param name="Invert">What lies between the matches counts as the match.</param>
internal sealed record SplitStep(Regex Pattern, SplitBehavior Behavior, bool Invert)
{
    /// <summary>Appends the parts of text[start..start+length], in order, none empty.</summary>
    public void Split(ReadOnlySpan<char> text, int start, int length, List<(int Start, int Length)> parts)
    {
        var piece = text.Slice(start, length);
        var (first, end, previous) = (parts.Count, 0, false);
        foreach (var match in Pattern.EnumerateMatches(piece))
        {
            if (match.Index > end)
                Append(end, match.Index, Invert);

            Append(match.Index, match.Index + match.Length, !Invert);
            end = match.Index + match.Length;
        }

        if (end < length)
            Append(end, length, Invert);

        void Append(int from, int to, bool matched)
        {
            var joins = parts.Count > first && Behavior switch
            {
                SplitBehavior.MergedWithPrevious => matched && !previous,
                SplitBehavior.MergedWithNext => !matched && previous,
                SplitBehavior.Contiguous => matched == previous,
                _ => false,
            };
            previous = matched;
            if (joins)
            {
                parts[^1] = (parts[^1].Start, start + to - parts[^1].Start);
            }
            else if (to > from && !(matched && Behavior == SplitBehavior.Removed))
            {
                parts.Add((start + from, to - from));
            }
        }
    }
}
