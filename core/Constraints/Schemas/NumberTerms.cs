using System.Numerics;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>A bound of a number.</summary>
internal readonly record struct Bound(Decimals Value, bool IsExclusive);

/// <summary>Numbers as JSON writes them, within exact bounds: by their digits, never by floating point.</summary>
internal sealed class NumberTerms(TermStore store)
{
    private const int MaxDivisor = 2_000;

    private Term Digit => Digits('0', '9');

    private Term Minus => store.Text("-");

    private Term Whole => store.Either(store.Text("0"), store.Concat(Digits('1', '9'), store.Star(Digit)));

    // Any fraction, or none.
    private Term AnyFraction => store.Optional(store.Concat(store.Text("."), store.Repeat(Digit, 1, int.MaxValue)));

    private Term ZeroFraction => store.Optional(store.Concat(store.Text("."), store.Repeat(store.Text("0"), 1, int.MaxValue)));

    public Term Any(bool isInteger)
    {
        var exponent = store.Concat(store.Bytes(ByteSet.Of('e').With('E')), store.Optional(store.Bytes(ByteSet.Of('+').With('-'))),
            store.Repeat(Digit, 1, int.MaxValue));
        return store.Concat(store.Optional(Minus), Whole, isInteger ? store.Empty : store.Concat(AnyFraction, store.Optional(exponent)));
    }

    /// <summary>Numbers within bounds, without an exponent.</summary>
    public Term Between(bool isInteger, Bound? low, Bound? high)
    {
        var result = store.Concat(store.Optional(Minus), Whole, isInteger ? store.Empty : AnyFraction);
        if (low is { } from)
        {
            result = store.Both(result, from.Value.IsNegative
                ? store.Either(store.Concat(Whole, AnyFraction), store.Concat(Minus, Magnitude(from, isAbove: false)))
                : Magnitude(from, isAbove: true));
        }
        if (high is { } to)
        {
            result = store.Both(result, to.Value.IsNegative
                ? store.Concat(Minus, Magnitude(to, isAbove: true))
                : store.Either(store.Concat(Minus, to.Value.Digits.IsZero ? Magnitude(to, isAbove: true) : store.Concat(Whole, AnyFraction)),
                    Magnitude(to, isAbove: false)));
        }
        return result;
    }

    /// <summary>Multiples of a positive number, without an exponent; null where its automaton is too large.</summary>
    public Term? MultiplesOf(Decimals step)
    {
        if (step.Digits > MaxDivisor || step.Digits.Sign <= 0 || step.Scale > 30)
            return null;
        var divisor = (int)step.Digits;
        var cache = new Dictionary<(int, int), Term>();
        var start = new List<Term> { store.Concat(store.Text("0"), Tail(0)) };
        for (var digit = 1; digit <= 9; digit++)
            start.Add(store.Concat(Digits('0' + digit, '0' + digit), Remaining(digit % divisor, -1)));
        return store.Concat(store.Optional(Minus), store.Either(start));

        // After the whole part (-1) or so many digits of the fraction, with this remainder so far.
        Term Remaining(int remainder, int fraction)
        {
            if (cache.TryGetValue((remainder, fraction), out var known))
                return known;
            var zeros = store.Star(store.Text("0"));
            if (fraction == step.Scale && fraction >= 0)
                return remainder == 0 ? zeros : store.None;
            var isEnd = (int)(remainder * BigInteger.Pow(10, step.Scale - Math.Max(fraction, 0)) % divisor) == 0;
            var rule = cache[(remainder, fraction)] = store.Rule($"multiple {remainder}", isEnd && fraction != 0);
            var parts = new List<Term>();
            for (var digit = 0; digit <= 9; digit++)
                parts.Add(store.Concat(
                    Digits('0' + digit, '0' + digit), Remaining((remainder * 10 + digit) % divisor, fraction < 0 ? -1 : fraction + 1)));
            if (fraction < 0)
                parts.Add(Tail(remainder));
            else if (isEnd && fraction > 0)
                parts.Add(store.Empty);
            rule.Body = store.Either(parts);
            return rule;
        }

        // What may follow the whole part.
        Term Tail(int remainder)
        {
            var isEnd = (int)(remainder * BigInteger.Pow(10, step.Scale) % divisor) == 0;
            var fraction = step.Scale == 0
                ? isEnd ? store.Repeat(store.Text("0"), 1, int.MaxValue) : store.None
                : Remaining(remainder, 0);
            var dotted = store.Concat(store.Text("."), fraction);
            return isEnd ? store.Optional(dotted) : dotted;
        }
    }

    // Numbers without a sign whose value is above (or below) that of a bound, or equal to it where that is included.
    private Term Magnitude(Bound bound, bool isAbove)
    {
        var (whole, fraction) = bound.Value.Split();
        var parts = new List<Term> { store.Concat(WholeBeyond(whole, isAbove), AnyFraction) };
        var same = store.Text(whole);
        parts.Add(store.Concat(same, FractionBeyond(fraction, isAbove)));
        if (!bound.IsExclusive)
        {
            parts.Add(store.Concat(same, fraction.Length == 0 ? ZeroFraction
                : store.Concat(store.Text("." + fraction), store.Star(store.Text("0")))));
        }
        return store.Either(parts);
    }

    private Term WholeBeyond(string whole, bool isAbove)
    {
        var parts = new List<Term>();
        if (isAbove)
        {
            parts.Add(store.Concat(Digits('1', '9'), store.Repeat(Digit, whole.Length, int.MaxValue)));
        }
        else if (whole.Length > 1)
        {
            parts.Add(store.Text("0"));
            parts.Add(store.Concat(Digits('1', '9'), store.Repeat(Digit, 0, whole.Length - 2)));
        }
        for (var i = 0; i < whole.Length; i++)
        {
            var lowest = i == 0 && whole.Length > 1 ? '1' : '0';
            var next = isAbove ? Digits((char)(whole[i] + 1), '9') : Digits(lowest, (char)(whole[i] - 1));
            parts.Add(store.Concat(store.Text(whole[..i]), next, store.Repeat(Digit, whole.Length - i - 1, whole.Length - i - 1)));
        }
        return store.Either(parts);
    }

    private Term FractionBeyond(string fraction, bool isAbove)
    {
        var parts = new List<Term>();
        for (var i = 0; i < fraction.Length; i++)
        {
            var next = isAbove ? Digits((char)(fraction[i] + 1), '9') : Digits('0', (char)(fraction[i] - 1));
            parts.Add(store.Concat(store.Text("." + fraction[..i]), next, store.Star(Digit)));
            if (!isAbove)
                parts.Add(i == 0 ? store.Empty : store.Text("." + fraction[..i]));
        }
        if (isAbove)
            parts.Add(store.Concat(store.Text("." + fraction), store.Star(store.Text("0")), Digits('1', '9'), store.Star(Digit)));
        return store.Either(parts);
    }

    private Term Digits(int low, int high) => low > high ? store.None : store.Bytes(ByteSet.Range(low, high));
}
