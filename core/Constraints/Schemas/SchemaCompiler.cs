using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>
/// JSON schema → term. What must hold together (`allOf`, references, a property that several schemas speak about) is a set of
/// <see cref="Part"/>s; each set is compiled once, so that recursion ends. Alternatives (`anyOf`, `oneOf`, `if`, …) are taken apart
/// first, one set each.
/// </summary>
internal sealed class SchemaCompiler
{
    private const int MaxSets = 20_000, MaxDepth = 300;

    private readonly Dictionary<string, Term?> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Term> _rules = new(StringComparer.Ordinal);
    private readonly SchemaDocument _document;

    private readonly Alternatives _alternatives;
    private int _depth, _sets;

    public SchemaCompiler(JsonElement schema, JsonTerms json, Derivatives derivatives)
    {
        Json = json;
        Derivatives = derivatives;
        _document = new SchemaDocument(schema);
        Scalars = new ScalarTerms(json, derivatives);
        _alternatives = new Alternatives(this);
    }

    public JsonTerms Json { get; }

    public Derivatives Derivatives { get; }

    public ScalarTerms Scalars { get; }

    private TermStore Store => Json.Store;

    /// <summary>The whole schema's term; refused where nothing satisfies it.</summary>
    public Term Compile()
    {
        var term = Compile([_document.Root]);
        if (!new Productivity().Holds(term) || !Derivatives.IsPossible(term))
            throw new ConstraintException("#", "schema", "no finite value satisfies it");
        // A rule that begins with itself is found here, not while a mask is made.
        foreach (var rule in _rules.Values)
            Derivatives.Moves(rule);
        return term;
    }

    public Term Compile(IEnumerable<Part> parts)
    {
        var flat = new OrderedDictionary<string, Part>(StringComparer.Ordinal);
        foreach (var part in parts)
        {
            if (!Flatten(part, flat))
                return Store.None;
        }
        if (flat.Count == 0)
            return Json.AnyValue;
        var key = string.Join('\n', flat.Keys.Order(StringComparer.Ordinal));
        if (_known.TryGetValue(key, out var known))
            return known ?? (_rules.TryGetValue(key, out var open) ? open : _rules[key] = Store.Rule(flat.GetAt(0).Value.Path));
        var first = flat.GetAt(0).Value;
        if (++_sets > MaxSets || _depth > MaxDepth)
            throw new ConstraintException(first.Path, "schema", "it is too large or too deep");
        _known[key] = null;
        _depth++;
        var term = CompileSet([.. flat.Values]);
        _depth--;
        if (_rules.TryGetValue(key, out var rule))
        {
            // An alternative that is the whole again adds nothing.
            rule.Body = Store.Either([.. (term.Kind == TermKind.Either ? term.Items : [term]).Where(one => one != rule)]);
            term = rule;
        }
        _known[key] = term;
        return term;
    }

    /// <summary>A schema's keywords without its references; false where nothing satisfies it.</summary>
    private bool Flatten(Part part, OrderedDictionary<string, Part> flat)
    {
        if (part.Schema.ValueKind == JsonValueKind.True || flat.ContainsKey(part.Key))
            return true;
        if (part.Schema.ValueKind == JsonValueKind.False)
            return false;
        if (part.Schema.ValueKind != JsonValueKind.Object)
            throw new ConstraintException(part.Path, "schema", "expected an object or a boolean");
        Keywords.Check(part);
        if (part.Has("$ref", out var reference))
        {
            var target = _document.Resolve(part, reference);
            if (_document.IgnoresSiblings)
                return part.Path == target.Path ? throw Circular(part) : FlattenReference(part, target, flat);
            flat[part.Key] = part;
            return Flatten(target, flat) && FlattenAll(part, flat);
        }
        flat[part.Key] = part;
        return FlattenAll(part, flat);
    }

    private bool FlattenReference(Part part, Part target, OrderedDictionary<string, Part> flat)
    {
        for (var hops = 0; target.Has("$ref", out var reference); hops++)
        {
            if (hops > MaxDepth)
                throw Circular(part);
            target = _document.Resolve(target, reference);
        }
        return Flatten(target, flat);
    }

    private bool FlattenAll(Part part, OrderedDictionary<string, Part> flat) =>
        Keywords.Elements(part, "allOf").TrueForAll(one => Flatten(one, flat));

    private static ConstraintException Circular(Part part) => new(part.Path, "$ref", "it refers to itself");

    private Term CompileSet(List<Part> parts)
    {
        if (_alternatives.Of(parts) is { } options)
            return Store.Either([.. options.Select(option => Compile(option))]);
        var types = JsonTypes.All;
        foreach (var part in parts)
            types &= JsonTypesReader.Read(part);
        if (parts.Find(part => !part.Taken.HasFlag(Taken.Literals) && (part.Has("const", out _) || part.Has("enum", out _))) is { } literal)
            return Literals(literal, parts, types);
        var terms = new List<Term>();
        if (types.HasFlag(JsonTypes.Null))
            terms.Add(Store.Text("null"));
        if (types.HasFlag(JsonTypes.Boolean))
            terms.Add(Store.Either(Store.Text("true"), Store.Text("false")));
        if (types.HasFlag(JsonTypes.String))
            terms.Add(Scalars.String(parts));
        if (types.HasFlag(JsonTypes.Integer))
            terms.Add(Scalars.Number(parts, isInteger: !types.HasFlag(JsonTypes.Number)));
        if (types.HasFlag(JsonTypes.Array))
            terms.Add(new ArrayTerms(this).Compile(parts));
        if (types.HasFlag(JsonTypes.Object))
            terms.Add(new ObjectTerms(this).Compile(parts));
        var term = Store.Either([.. terms.Where(Derivatives.IsPossible)]);
        foreach (var part in parts)
        {
            if (part.Has(Negation.Literals, out var values))
                term = Store.Both(term, Store.Not(Store.Either([.. values.EnumerateArray().Select(Excluded)])));
        }
        return term;
    }

    private Term Excluded(JsonElement value) =>
        value.ValueKind is JsonValueKind.String or JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null
            ? Json.Literal(value)
            : throw new ConstraintException("", "not", "only strings, booleans and null can be excluded by value");

    private Term Literals(Part part, List<Part> parts, JsonTypes types)
    {
        var hasConst = part.Has("const", out var single);
        var hasEnum = part.Has("enum", out var values);
        if (hasEnum && values.ValueKind != JsonValueKind.Array)
            throw new ConstraintException(part.Path, "enum", "expected an array");
        IEnumerable<JsonElement> candidates = hasConst ? [single] : values.EnumerateArray();
        if (hasConst && hasEnum)
            candidates = candidates.Where(one => values.EnumerateArray().Any(other => JsonElement.DeepEquals(one, other)));
        var rest = parts.Select(one => one == part ? part.Without(Taken.Literals) : one).ToList();
        candidates = candidates.Where(one => types.HasFlag(JsonTypesReader.Of(one)));
        var isSimple = rest.TrueForAll(one => one.Schema.EnumerateObject().All(property => Annotations.Has(property.Name)
            || property.Name is "type" or "$ref" or "allOf" or "anyOf" or "oneOf"
            || one.Taken.HasFlag(Taken.Literals) && property.Name is "const" or "enum"));
        if (!isSimple)
        {
            var allowed = Compile(rest);
            candidates = candidates.Where(one => Derivatives.Matches(allowed, System.Text.Encoding.UTF8.GetBytes(Json.Written(one))));
        }
        var list = candidates.ToList();
        var strings = list.Where(one => one.ValueKind == JsonValueKind.String).Select(one => one.GetString()!).Distinct().ToList();
        var others = list.Where(one => one.ValueKind != JsonValueKind.String).Select(Json.Literal);
        return Store.Either([
            strings.Count == 0 ? Store.None : Store.Concat(Json.Quote, Json.Characters.AnyOf(strings), Json.Quote), .. others]);
    }
}
