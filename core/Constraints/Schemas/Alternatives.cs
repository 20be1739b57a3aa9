using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Takes keywords apart that mean one of several sets of schemas: `anyOf`, `oneOf`, `not`, `if`, dependencies.</summary>
internal sealed class Alternatives(SchemaCompiler schemas)
{
    private readonly Negation _negation = new();

    /// <summary>The alternatives of the first such keyword; null where there is none left.</summary>
    public List<List<Part>>? Of(List<Part> parts)
    {
        for (var i = 0; i < parts.Count; i++)
        {
            var part = parts[i];
            if (First(part) is not { } found)
                continue;
            var rest = parts.ConvertAll(one => one == part ? part.Without(found.Taken) : one);
            if (found.Taken == Taken.OneOf)
                CheckDisjoint(part, found.Options, rest);
            return found.Options.ConvertAll(option => (List<Part>)[.. rest, .. option]);
        }
        return null;
    }

    private (Taken Taken, List<List<Part>> Options)? First(Part part)
    {
        if (!part.Taken.HasFlag(Taken.AnyOf) && part.Has("anyOf", out _))
            return (Taken.AnyOf, Keywords.Elements(part, "anyOf").ConvertAll(one => (List<Part>)[one]));
        if (!part.Taken.HasFlag(Taken.OneOf) && part.Has("oneOf", out _))
            return (Taken.OneOf, Keywords.Elements(part, "oneOf").ConvertAll(one => (List<Part>)[one]));
        if (!part.Taken.HasFlag(Taken.Not) && part.Has("not", out var not))
            return (Taken.Not, _negation.Of(part.Child("not", not)));
        if (!part.Taken.HasFlag(Taken.If) && part.Has("if", out var condition) && (part.Has("then", out _) || part.Has("else", out _)))
        {
            var met = part.Child("if", condition);
            return (Taken.If, [
                [met, .. Optional(part, "then")], .. _negation.Of(met).Select(one => (List<Part>)[.. one, .. Optional(part, "else")])]);
        }
        return part.Taken.HasFlag(Taken.Dependencies) ? null : Dependencies(part);
    }

    private static List<Part> Optional(Part part, string keyword) => part.Has(keyword, out var value) ? [part.Child(keyword, value)] : [];

    private static (Taken, List<List<Part>>)? Dependencies(Part part)
    {
        List<List<Part>> options = [[]];
        var isAny = false;
        foreach (var keyword in (string[])["dependentRequired", "dependentSchemas", "dependencies"])
        {
            foreach (var one in Keywords.Members(part, keyword))
            {
                isAny = true;
                var name = JsonSerializer.Serialize(one.Path[(one.Path.LastIndexOf('/') + 1)..]
                    .Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal));
                var absent = Made(one, "absent", $"{{\"properties\":{{{name}:false}}}}");
                List<Part> present = one.Schema.ValueKind == JsonValueKind.Array
                    ? [Made(one, "present",
                        $"{{\"required\":[{string.Join(',', one.Schema.EnumerateArray().Select(it => it.GetRawText()).Prepend(name))}]}}")]
                    : [Made(one, "present", $"{{\"required\":[{name}]}}"), one];
                options = [.. options.SelectMany(option => (List<List<Part>>)[[.. option, absent], [.. option, .. present]])];
                if (options.Count > 64)
                    throw new ConstraintException(part.Path, keyword, "expected at most 6 dependencies");
            }
        }
        return isAny ? (Taken.Dependencies, options) : null;
    }

    /// <summary>A schema that isn't in the document.</summary>
    public static Part Made(Part near, string name, string json) => new(JsonDocument.Parse(json).RootElement, $"{near.Path}!{name}");

    // One alternative exactly must hold: two that can hold together would need counting.
    private void CheckDisjoint(Part part, List<List<Part>> options, List<Part> rest)
    {
        for (var i = 0; i < options.Count; i++)
        {
            for (var j = 0; j < i; j++)
            {
                var both = schemas.Compile([.. rest, .. options[i], .. options[j]]);
                if (schemas.Derivatives.IsPossible(both))
                    throw new ConstraintException(part.Path, "oneOf", $"alternatives {j} and {i} can hold together; state what tells them apart");
            }
        }
    }
}
