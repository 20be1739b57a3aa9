using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Unicode's normalization forms C and D (UAX 15). The runtime's own leaves text as it is when globalization is invariant, as it is here, so that
/// nothing has to be installed.
/// </summary>
internal static class CanonicalComposition
{
    private const char FirstUnstable = '\u0300', LastWhole = '\u00BF';
    private const int Syllables = 0xAC00, Leads = 0x1100, Vowels = 0x1161, Trails = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, SyllableCount = LeadCount * VowelCount * TrailCount;

    /// <param name="text">Well-formed UTF-16.</param>
    public static string Apply(string text)
    {
        if (IsComposed(text))
            return text;

        var characters = Parts(text);
        Compose(characters);
        return Text(characters);
    }

    /// <summary>Form D.</summary>
    /// <param name="text">Well-formed UTF-16.</param>
    public static string Decomposed(string text) => text.AsSpan().IndexOfAnyExceptInRange('\0', LastWhole) < 0 ? text : Text(Parts(text));

    private static List<int> Parts(string text)
    {
        var characters = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, characters);

        Order(characters);
        return characters;
    }

    private static string Text(List<int> characters)
    {
        var text = new StringBuilder(characters.Count);
        foreach (var character in characters)
            text.Append(new Rune(character));

        return text.ToString();
    }

    private static bool IsComposed(string text)
    {
        var first = text.AsSpan().IndexOfAnyExceptInRange('\0', (char)(FirstUnstable - 1));
        if (first >= 0)
        {
            foreach (var rune in text.AsSpan(first).EnumerateRunes())
            {
                if (CanonicalData.Unstable.Contains(rune.Value)
                    || rune.Value is >= Vowels and < Vowels + VowelCount or > Trails and < Trails + TrailCount)
                    return false;
            }
        }

        return true;
    }

    private static void Decompose(int character, List<int> parts)
    {
        if (character is >= Syllables and < Syllables + SyllableCount)
        {
            var index = character - Syllables;
            parts.Add(Leads + (index / (VowelCount * TrailCount)));
            parts.Add(Vowels + (index % (VowelCount * TrailCount) / TrailCount));
            if (index % TrailCount > 0)
                parts.Add(Trails + (index % TrailCount));
        }
        else if (CanonicalData.Decompositions.TryGetValue(character, out var pair))
        {
            Decompose(pair.First, parts);
            if (pair.Second != 0)
                Decompose(pair.Second, parts);
        }
        else
        {
            parts.Add(character);
        }
    }

    /// <summary>Sorts each run of combining characters by class; those of one class keep their order.</summary>
    private static void Order(List<int> characters)
    {
        for (var start = 0; start < characters.Count; start++)
        {
            var end = start;
            while (end < characters.Count && Class(characters[end]) > 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var sorted = characters.GetRange(start, end - start).OrderBy(Class).ToList();
                for (var i = 0; i < sorted.Count; i++)
                {
                    characters[start + i] = sorted[i];
                }
            }

            start = end;
        }
    }

    /// <summary>Joins each character to the last starter where the two compose and nothing of its class or above stands between.</summary>
    private static void Compose(List<int> characters)
    {
        var (kept, starter, lastClass) = (0, -1, 0);
        foreach (var character in characters.ToArray())
        {
            var own = Class(character);
            var adjacent = starter == kept - 1;
            if (starter >= 0 && (adjacent || (lastClass < own && lastClass > 0)) && Joined(characters[starter], character) is { } joined)
            {
                characters[starter] = joined;
                continue;
            }

            if (own == 0)
                starter = kept;

            lastClass = own;
            characters[kept++] = character;
        }

        characters.RemoveRange(kept, characters.Count - kept);
    }

    private static int? Joined(int first, int second)
    {
        if (first is >= Leads and < Leads + LeadCount && second is >= Vowels and < Vowels + VowelCount)
            return Syllables + ((((first - Leads) * VowelCount) + second - Vowels) * TrailCount);

        if (first is >= Syllables and < Syllables + SyllableCount && (first - Syllables) % TrailCount == 0
            && second is > Trails and < Trails + TrailCount)
            return first + second - Trails;

        return CanonicalData.Compositions.TryGetValue((first, second), out var joined) ? joined : null;
    }

    private static int Class(int character) => character < FirstUnstable ? 0 : CanonicalData.Classes.GetValueOrDefault(character);
}
