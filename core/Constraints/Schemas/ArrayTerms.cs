using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Arrays under several schemas at once.</summary>
internal sealed class ArrayTerms(SchemaCompiler schemas)
{
    private const int MaxPrefix = 1_000;

    private readonly JsonTerms _json = schemas.Json;
    private readonly TermStore _store = schemas.Json.Store;

    public Term Compile(List<Part> parts)
    {
        var (min, max, prefix) = (0, int.MaxValue, 0);
        foreach (var part in parts)
        {
            min = Math.Max(min, Keywords.Count(part, "minItems", 0));
            max = Math.Min(max, Keywords.Count(part, "maxItems", int.MaxValue));
            prefix = Math.Max(prefix, Prefix(part).Count);
        }
        if (min > max)
            return _store.None;
        if (prefix > MaxPrefix)
            throw new ConstraintException(parts[0].Path, "prefixItems", $"expected at most {MaxPrefix}");
        if (max > 1 && parts.Find(part => Keywords.Flag(part, "uniqueItems")) is { } unique)
            throw new ConstraintException(unique.Path, "uniqueItems", "it is supported only where an array has at most one item (maxItems)");
        var rest = max > prefix ? schemas.Compile(parts.SelectMany(Rest)) : _store.None;
        if (prefix == 0)
            return _json.Array(_json.List(rest, min, max));
        var tail = _store.Repeat(_store.Concat(_json.Comma, rest), Math.Max(0, min - prefix), max == int.MaxValue ? max : Math.Max(0, max - prefix));
        for (var i = Math.Min(prefix, max) - 1; i >= 0; i--)
        {
            var item = schemas.Compile(parts.SelectMany(part => At(part, i)));
            tail = _store.Concat(i == 0 ? _store.Empty : _json.Comma, item, tail);
            if (i >= min)
                tail = _store.Optional(tail);
        }
        return _json.Array(tail);
    }

    // Until draft-07 an array of `items` was what `prefixItems` is now.
    private static List<Part> Prefix(Part part) =>
        part.Has("prefixItems", out _) ? Keywords.Elements(part, "prefixItems")
        : part.Has("items", out var items) && items.ValueKind == JsonValueKind.Array ? Keywords.Elements(part, "items") : [];

    private static IEnumerable<Part> At(Part part, int index) => Prefix(part) is var prefix && index < prefix.Count ? [prefix[index]] : Rest(part);

    private static IEnumerable<Part> Rest(Part part)
    {
        if (part.Has("items", out var items) && items.ValueKind != JsonValueKind.Array)
            return [part.Child("items", items)];
        return items.ValueKind == JsonValueKind.Array && part.Has("additionalItems", out var more) ? [part.Child("additionalItems", more)] : [];
    }
}
