using System.Text;
using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Objects under several schemas at once: stated properties in their order, then others.</summary>
internal sealed class ObjectTerms(SchemaCompiler schemas)
{
    private const int MaxStates = 20_000, MaxPatterns = 4;

    private readonly JsonTerms _json = schemas.Json;
    private readonly TermStore _store = schemas.Json.Store;

    private readonly record struct Member(Term Pair, bool IsRequired);

    private sealed record Shape(Part Part, Dictionary<string, Part> Properties, List<(Term Name, Part Schema)> Patterns, Part? Additional);

    public Term Compile(List<Part> parts)
    {
        var shapes = parts.ConvertAll(Read);
        var names = new Dictionary<string, bool>(StringComparer.Ordinal);
        foreach (var name in shapes.SelectMany(shape => shape.Properties.Keys))
            names[name] = false;
        foreach (var name in parts.SelectMany(part => Keywords.Names(part, "required")))
            names[name] = true;
        var nameRule = parts.Where(part => part.Has("propertyNames", out _)).ToList();
        var allowedNames = nameRule.Count == 0 ? null : schemas.Compile(nameRule.Select(part => Child(part, "propertyNames")));
        var members = new List<Member>();
        foreach (var (name, isRequired) in names)
        {
            var text = Encoding.UTF8.GetBytes(_json.Characters.Written(name));
            var isAllowed = allowedNames is null
                || schemas.Derivatives.Matches(allowedNames, Encoding.UTF8.GetBytes($"\"{_json.Characters.Written(name)}\""));
            var value = isAllowed ? schemas.Compile(shapes.SelectMany(shape => Schemas(shape, name, text))) : _store.None;
            if (schemas.Derivatives.IsPossible(value))
                members.Add(new Member(_store.Concat(_json.String(name), _json.Colon, value), isRequired));
            else if (isRequired)
                return _store.None;
        }
        return Members(parts, members, Others(parts, shapes, names.Keys, allowedNames));
    }

    private static Part Child(Part part, string keyword)
    {
        part.Has(keyword, out var value);
        return part.Child(keyword, value);
    }

    private Shape Read(Part part)
    {
        if (part.Has("required", out var required) && required.ValueKind is JsonValueKind.True or JsonValueKind.False)
            throw new ConstraintException(part.Path, "required", "expected an array of names");
        var properties = new Dictionary<string, Part>(StringComparer.Ordinal);
        if (part.Has("properties", out var stated) && stated.ValueKind == JsonValueKind.Object)
        {
            foreach (var property in stated.EnumerateObject())
                properties[property.Name] = part.Child($"properties/{Keywords.Escaped(property.Name)}", property.Value);
        }
        else
        {
            _ = Keywords.Members(part, "properties");
        }
        var patterns = new List<(Term, Part)>();
        if (part.Has("patternProperties", out var byPattern) && byPattern.ValueKind == JsonValueKind.Object)
        {
            foreach (var property in byPattern.EnumerateObject())
            {
                var schema = part.Child($"patternProperties/{Keywords.Escaped(property.Name)}", property.Value);
                patterns.Add((schemas.Scalars.Found(part, "patternProperties", property.Name), schema));
            }
        }
        return new Shape(part, properties, patterns, part.Has("additionalProperties", out _) ? Child(part, "additionalProperties") : null);
    }

    private IEnumerable<Part> Schemas(Shape shape, string name, byte[] text)
    {
        var isStated = shape.Properties.TryGetValue(name, out var stated);
        if (isStated)
            yield return stated!;
        foreach (var pattern in shape.Patterns)
        {
            if (!schemas.Derivatives.Matches(pattern.Name, text))
                continue;
            isStated = true;
            yield return pattern.Schema;
        }
        if (!isStated && shape.Additional is { } additional)
            yield return additional;
    }

    // Pairs of names that are not stated: one alternative for each set of patterns that a name may match.
    private Term Others(List<Part> parts, List<Shape> shapes, IEnumerable<string> names, Term? allowedNames)
    {
        if (shapes.Exists(shape => shape.Patterns.Count == 0 && shape.Additional is { Schema.ValueKind: JsonValueKind.False }))
            return _store.None;
        var patterns = shapes.SelectMany(shape => shape.Patterns.Select(one => one.Name)).Distinct().ToList();
        var free = _store.Both(_json.Characters.AnyText, _store.Not(_json.Characters.AnyOf(names)));
        if (!names.Any())
            free = _json.Characters.AnyText;
        var sets = new List<HashSet<Term>>();
        if (patterns.Count <= MaxPatterns)
        {
            for (var bits = 0; bits < 1 << patterns.Count; bits++)
                sets.Add([.. patterns.Where((_, index) => (bits >> index & 1) != 0)]);
        }
        else
        {
            for (var i = 0; i < patterns.Count; i++)
            {
                for (var j = 0; j < i; j++)
                {
                    if (schemas.Derivatives.IsPossible(_store.Both(patterns[i], patterns[j])))
                        throw new ConstraintException(parts[0].Path, "patternProperties", $"more than {MaxPatterns} patterns that overlap");
                }
            }
            sets = [[], .. patterns.Select(one => (HashSet<Term>)[one])];
        }
        var pairs = new List<Term>();
        foreach (var set in sets)
        {
            var value = schemas.Compile(shapes.SelectMany(shape => Values(shape, set)));
            if (!schemas.Derivatives.IsPossible(value))
                continue;
            var name = patterns.Aggregate(free, (sum, one) => _store.Both(sum, set.Contains(one) ? one : _store.Not(one)));
            var key = _store.Concat(_json.Quote, name, _json.Quote);
            if (allowedNames is not null)
                key = _store.Both(key, allowedNames);
            if (schemas.Derivatives.IsPossible(key))
                pairs.Add(_store.Concat(key, _json.Colon, value));
        }
        return _store.Either(pairs);

        static IEnumerable<Part> Values(Shape shape, HashSet<Term> set)
        {
            var matched = shape.Patterns.Where(one => set.Contains(one.Name)).Select(one => one.Schema).ToList();
            return matched.Count > 0 ? matched : shape.Additional is { } additional ? [additional] : [];
        }
    }

    private Term Members(List<Part> parts, List<Member> members, Term other)
    {
        var (min, max) = (0, int.MaxValue);
        foreach (var part in parts)
        {
            min = Math.Max(min, Keywords.Count(part, "minProperties", 0));
            max = Math.Min(max, Keywords.Count(part, "maxProperties", int.MaxValue));
        }
        var required = members.Count(member => member.IsRequired);
        if (required >= min)
            min = 0;
        if (max >= members.Count && other == _store.None)
            max = int.MaxValue;
        // An object may repeat a name that is not stated, which counts once: so at most one of those may be counted on.
        if (min > members.Count + 1 && other != _store.None)
            throw new ConstraintException(parts[0].Path, "minProperties", "it is supported up to one more than the stated properties");
        if (required > max)
            return _store.None;
        var cap = max == int.MaxValue ? min : Math.Max(min, Math.Min(max, members.Count));
        if ((long)members.Count * (cap + 1) > MaxStates)
            throw new ConstraintException(parts[0].Path, "maxProperties", "it has too many states with this many properties");
        // Keys: the state where a member's name is expected. Ends: the state behind a member. Both by index and count (at most the cap).
        var keys = new Term[members.Count + 1, cap + 1];
        var ends = new Term[members.Count + 1, cap + 1];
        var open = 0;
        for (var i = members.Count; i >= 0; i--)
        {
            open += i < members.Count && members[i].IsRequired ? 1 : 0;
            for (var count = 0; count <= cap; count++)
            {
                keys[i, count] = Key(i, count);
                var more = max != int.MaxValue && count >= max ? _store.None : _store.Concat(_json.Comma, keys[i, count]);
                ends[i, count] = open == 0 && count >= min ? _store.Optional(more) : more;
            }
        }
        return _json.Object(required == 0 && min == 0 ? _store.Optional(keys[0, 0]) : keys[0, 0]);

        Term Key(int index, int count)
        {
            if (max != int.MaxValue && count >= max)
                return _store.None;
            if (index == members.Count)
                return _json.List(other, Math.Max(1, min - count), max == int.MaxValue ? max : max - count);
            var (pair, isRequired) = members[index];
            var taken = _store.Concat(pair, ends[index + 1, Math.Min(cap, count + 1)]);
            return isRequired ? taken : _store.Either(taken, keys[index + 1, count]);
        }
    }
}
