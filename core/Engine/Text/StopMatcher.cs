namespace R1Serverless.Engine.Text;

/// <summary>
/// Finds the stop texts in a text that comes in pieces. The text that is complete first ends it; of two that are complete at the same character,
/// the longer. Linear in the text (Knuth, Morris and Pratt, 1977), however it is cut.
/// </summary>
internal sealed class StopMatcher(IReadOnlyList<string> stops)
{
    private readonly Automaton[] _automata = [.. stops.Select(stop => new Automaton(stop))];

    /// <summary>How many of the last characters may still become a stop text: at most the longest stop text less one.</summary>
    public int Held { get; private set; }

    /// <summary>Reads on. Returns the first match, where there is one; the matcher must then be reset before it reads more.</summary>
    public StopMatch? Scan(ReadOnlySpan<char> text)
    {
        if (_automata.Length == 0) return null;
        for (var i = 0; i < text.Length; i++)
        {
            var longest = 0;
            foreach (var automaton in _automata)
            {
                if (automaton.Step(text[i])) longest = Math.Max(longest, automaton.Matched);
            }

            if (longest > 0) return new StopMatch(i + 1, longest);
        }

        Held = _automata.Max(automaton => automaton.Matched);
        return null;
    }

    /// <summary>Forgets what was read.</summary>
    public void Reset()
    {
        Held = 0;
        foreach (var automaton in _automata) automaton.Reset();
    }

    /// <summary>Follows one stop text: how much of its beginning the text read so far ends with.</summary>
    private sealed class Automaton
    {
        private readonly string _stop;

        /// <summary>For each matched length, the longest shorter beginning that also ends there.</summary>
        private readonly int[] _fallback;

        public Automaton(string stop)
        {
            ArgumentException.ThrowIfNullOrEmpty(stop);
            _stop = stop;
            _fallback = new int[stop.Length + 1];
            for (var i = 1; i < stop.Length; i++)
            {
                var matched = _fallback[i];
                while (matched > 0 && stop[matched] != stop[i]) matched = _fallback[matched];
                _fallback[i + 1] = stop[matched] == stop[i] ? matched + 1 : 0;
            }
        }

        public int Matched { get; private set; }

        /// <summary>Whether the stop text ends with this character.</summary>
        public bool Step(char next)
        {
            while (Matched > 0 && _stop[Matched] != next) Matched = _fallback[Matched];
            if (_stop[Matched] == next) Matched++;
            return Matched == _stop.Length;
        }

        public void Reset() => Matched = 0;
    }
}

/// <summary>A stop text that was found.</summary>
/// <param name="End">Characters of the scanned piece up to the match's end.</param>
/// <param name="Length">Characters of the stop text; it may have begun in an earlier piece.</param>
internal readonly record struct StopMatch(int End, int Length);
