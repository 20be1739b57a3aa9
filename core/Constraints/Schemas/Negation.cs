using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>The complement of simple schemas, as alternatives: a schema fails where one of its keywords does.</summary>
internal sealed class Negation
{
    /// <summary>Keywords of made schemas only: values that are excluded, and a pattern that must not be found.</summary>
    public const string Literals = "\u0001notEnum", Pattern = "\u0001notPattern";

    private static readonly string[] Types = ["null", "boolean", "string", "number", "array", "object"];

    public List<List<Part>> Of(Part part)
    {
        if (part.Schema.ValueKind == JsonValueKind.True)
            return [];
        if (part.Schema.ValueKind == JsonValueKind.False)
            return [[]];
        if (part.Schema.ValueKind != JsonValueKind.Object)
            throw new ConstraintException(part.Path, "not", "expected a schema");
        var options = new List<List<Part>>();
        foreach (var property in part.Schema.EnumerateObject())
        {
            if (!Annotations.Has(property.Name))
                options.AddRange(Keyword(part, property.Name, property.Value));
        }
        return options;
    }

    private IEnumerable<List<Part>> Keyword(Part part, string name, JsonElement value)
    {
        var raw = value.GetRawText();
        switch (name)
        {
            case "type":
                var types = JsonTypesReader.Read(part);
                if (types.HasFlag(JsonTypes.Integer) && !types.HasFlag(JsonTypes.Number))
                    throw Refused(part, name);
                var others = Types.Where(one => !types.HasFlag(JsonTypesReader.Read(Alternatives.Made(part, one, $"{{\"type\":\"{one}\"}}"))));
                return One(part, name, $"{{\"type\":{JsonSerializer.Serialize(others)}}}");
            case "const":
                return One(part, name, Excluding($"[{raw}]"));
            case "enum":
                return One(part, name, Excluding(raw));
            case "required":
                return Keywords.Names(part, name).Select(one => JsonSerializer.Serialize(one)).SelectMany(
                    one => One(part, $"required{one}", $"{{\"type\":\"object\",\"properties\":{{{one}:false}}}}"));
            case "properties":
                return value.EnumerateObject().SelectMany(one => Property(part, one));
            case "pattern":
                return One(part, name, $"{{\"type\":\"string\",\"{Escape(Pattern)}\":{raw}}}");
            case "minLength" when Keywords.Count(part, name, 0) is var count:
                return One(part, name, $"{{\"type\":\"string\",\"maxLength\":{count - 1}}}", count > 0);
            case "maxLength":
                return One(part, name, $"{{\"type\":\"string\",\"minLength\":{Keywords.Count(part, name, 0) + 1L}}}");
            case "minItems" when Keywords.Count(part, name, 0) is var count:
                return One(part, name, $"{{\"type\":\"array\",\"maxItems\":{count - 1}}}", count > 0);
            case "maxItems":
                return One(part, name, $"{{\"type\":\"array\",\"minItems\":{Keywords.Count(part, name, 0) + 1L}}}");
            case "minimum" or "exclusiveMinimum" when value.ValueKind == JsonValueKind.Number:
                return One(part, name, $"{{\"type\":\"number\",\"{(name == "minimum" ? "exclusiveMaximum" : "maximum")}\":{raw}}}");
            case "maximum" or "exclusiveMaximum" when value.ValueKind == JsonValueKind.Number:
                return One(part, name, $"{{\"type\":\"number\",\"{(name == "maximum" ? "exclusiveMinimum" : "minimum")}\":{raw}}}");
            case "not":
                return [[part.Child("not", value)]];
            case "allOf":
                return Keywords.Elements(part, name).SelectMany(Of);
            case "anyOf":
                return Keywords.Elements(part, name).Aggregate((List<List<Part>>)[[]],
                    (sum, one) => [.. sum.SelectMany(left => Of(one).Select(right => (List<Part>)[.. left, .. right]))]);
            default:
                throw Refused(part, name);
        }
    }

    private IEnumerable<List<Part>> Property(Part part, JsonProperty property)
    {
        var name = JsonSerializer.Serialize(property.Name);
        var schema = new Part(property.Value, $"{part.Path}/properties/{Keywords.Escaped(property.Name)}");
        foreach (var option in Of(schema))
        {
            if (option.Count != 1)
                throw Refused(part, "properties");
            yield return One(option[0], "inside",
                $"{{\"type\":\"object\",\"required\":[{name}],\"properties\":{{{name}:{option[0].Schema.GetRawText()}}}}}").Single();
        }
    }

    private static IEnumerable<List<Part>> One(Part part, string name, string json, bool isPossible = true) =>
        isPossible ? [[Alternatives.Made(part, name, json)]] : [];

    private static string Excluding(string values) => $"{{\"{Escape(Literals)}\":{values}}}";

    private static string Escape(string keyword) => keyword.Replace("\u0001", "\\u0001", StringComparison.Ordinal);

    private static ConstraintException Refused(Part part, string name) =>
        new(part.Path, "not", $"the complement of '{name}' is not supported");
}
