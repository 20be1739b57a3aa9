using System.Text.Json;
using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Expressions;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Strings and numbers under several schemas at once.</summary>
internal sealed class ScalarTerms(JsonTerms json, Derivatives derivatives)
{
    private const int ProbeLength = 200, MaxProbeStates = 30_000;

    private readonly TermStore _store = json.Store;
    private readonly ExpressionCompiler _expressions = new(json.Characters);
    private readonly Dictionary<string, Term> _found = new(StringComparer.Ordinal);

    public Term String(List<Part> parts)
    {
        var (min, max) = (0, int.MaxValue);
        var text = json.Characters.AnyText;
        foreach (var part in parts)
        {
            min = Math.Max(min, Keywords.Count(part, "minLength", 0));
            max = Math.Min(max, Keywords.Count(part, "maxLength", int.MaxValue));
            if (part.Has("pattern", out var pattern))
                text = And(text, Found(part, "pattern", pattern));
            if (part.Has(Negation.Pattern, out var unwanted))
                text = And(text, _store.Not(Found(part, "pattern", unwanted)));
            if (part.Has("format", out var format))
                text = And(text, Format(part, format));
        }
        if (min > max)
            return _store.None;
        if (min > 0 || max < int.MaxValue)
            text = And(text, _store.Repeat(json.Characters.Any, min, max));
        CheckSize(parts, text);
        return _store.Concat(json.Quote, text, json.Quote);
    }

    /// <summary>The texts in which a pattern is found, as they stand between quotes.</summary>
    public Term Found(Part part, string keyword, JsonElement pattern) => pattern.ValueKind == JsonValueKind.String
        ? Found(part, keyword, pattern.GetString()!)
        : throw new ConstraintException(part.Path, keyword, "expected a string");

    public Term Found(Part part, string keyword, string pattern)
    {
        if (_found.TryGetValue(pattern, out var known))
            return known;
        try
        {
            return _found[pattern] = _expressions.Found(pattern);
        }
        catch (ConstraintException e) when (e.Path.Length == 0)
        {
            throw new ConstraintException(part.Path, keyword, e.Message);
        }
    }

    public Term Number(List<Part> parts, bool isInteger)
    {
        var numbers = new NumberTerms(_store);
        Bound? low = null, high = null;
        var steps = new List<Term>();
        foreach (var part in parts)
        {
            low = Tighter(low, Read(part, "minimum", Keywords.Flag(part, "exclusiveMinimum")), 1);
            high = Tighter(high, Read(part, "maximum", Keywords.Flag(part, "exclusiveMaximum")), -1);
            if (part.Has("exclusiveMinimum", out var value) && value.ValueKind == JsonValueKind.Number)
                low = Tighter(low, Read(part, "exclusiveMinimum", true), 1);
            if (part.Has("exclusiveMaximum", out value) && value.ValueKind == JsonValueKind.Number)
                high = Tighter(high, Read(part, "exclusiveMaximum", true), -1);
            if (Read(part, "multipleOf", false) is { } step && !(step.Value is { Scale: 0, Digits.IsOne: true } && isInteger))
            {
                steps.Add(numbers.MultiplesOf(step.Value)
                    ?? throw new ConstraintException(part.Path, "multipleOf", "expected a positive number of at most 2,000 in its digits"));
            }
        }
        var term = low is null && high is null && steps.Count == 0 ? numbers.Any(isInteger) : numbers.Between(isInteger, low, high);
        return steps.Aggregate(term, _store.Both);
    }

    // Counted repetitions that overlap can have states without number. A text of words and one without find that out.
    private void CheckSize(List<Part> parts, Term text)
    {
        if (text.Kind == TermKind.Repeat || parts.TrueForAll(part => !part.Has("pattern", out _) && !part.Has(Negation.Pattern, out _)))
            return;
        var before = _store.Count;
        foreach (var probe in (string[])["a b1 -", "a", "1"])
        {
            var state = text;
            for (var i = 0; i < ProbeLength && state != _store.None; i++)
            {
                state = derivatives.Step(state, (byte)probe[i % probe.Length]);
                if (_store.Count - before > MaxProbeStates)
                    throw new ConstraintException(parts[0].Path, "pattern", "it has too many states; state it without repetitions that overlap");
            }
        }
    }

    private Term And(Term text, Term other) => text == json.Characters.AnyText ? other : _store.Both(text, other);

    private Term Format(Part part, JsonElement format)
    {
        var name = format.ValueKind == JsonValueKind.String ? format.GetString()! : "";
        var expression = Formats.Find(name) ?? throw new ConstraintException(part.Path, "format", $"'{name}' is not supported");
        return _expressions.Whole(expression);
    }

    private static Bound? Read(Part part, string keyword, bool isExclusive)
    {
        if (!part.Has(keyword, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && Decimals.TryParse(value.GetRawText(), out var number)
            ? new Bound(number, isExclusive)
            : throw new ConstraintException(part.Path, keyword, "expected a number");
    }

    private static Bound? Tighter(Bound? known, Bound? other, int sign)
    {
        if (known is not { } x || other is not { } y)
            return known ?? other;
        var order = Decimals.Compare(x.Value, y.Value) * sign;
        return order > 0 || order == 0 && x.IsExclusive ? x : y;
    }
}
