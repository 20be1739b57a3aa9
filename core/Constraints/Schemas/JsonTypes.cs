using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Types of JSON values. A number that need not be whole has both flags.</summary>
[Flags]
internal enum JsonTypes
{
    None = 0,
    Null = 1,
    Boolean = 2,
    String = 4,
    Integer = 8,
    Number = 16,
    Array = 32,
    Object = 64,
    All = 127,
}

/// <summary>Reads the keyword `type`.</summary>
internal static class JsonTypesReader
{
    public static JsonTypes Read(Part part)
    {
        if (!part.Has("type", out var type))
            return JsonTypes.All;
        if (type.ValueKind == JsonValueKind.String)
            return One(part, type.GetString()!);
        return type.ValueKind == JsonValueKind.Array && type.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String)
            ? type.EnumerateArray().Aggregate(JsonTypes.None, (types, one) => types | One(part, one.GetString()!))
            : throw new ConstraintException(part.Path, "type", "expected the name of a type, or several");
    }

    public static JsonTypes Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => JsonTypes.Null,
        JsonValueKind.True or JsonValueKind.False => JsonTypes.Boolean,
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Array => JsonTypes.Array,
        JsonValueKind.Object => JsonTypes.Object,
        _ => Decimals.TryParse(value.GetRawText(), out var number) && number.Scale == 0 ? JsonTypes.Integer : JsonTypes.Number,
    };

    private static JsonTypes One(Part part, string name) => name switch
    {
        "null" => JsonTypes.Null,
        "boolean" => JsonTypes.Boolean,
        "string" => JsonTypes.String,
        "integer" => JsonTypes.Integer,
        "number" => JsonTypes.Integer | JsonTypes.Number,
        "array" => JsonTypes.Array,
        "object" => JsonTypes.Object,
        _ => throw new ConstraintException(part.Path, "type",
            $"'{name}' is no type; expected null, boolean, string, integer, number, array or object"),
    };
}
