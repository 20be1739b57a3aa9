using System.Collections.Frozen;
using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Which keywords are refused; and how values of keywords are read.</summary>
internal static class Keywords
{
    private static readonly FrozenSet<string> Refused = FrozenSet.Create(StringComparer.Ordinal,
        "contains", "minContains", "maxContains", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "extends",
        "disallow", "divisibleBy");

    public static void Check(Part part)
    {
        foreach (var property in part.Schema.EnumerateObject())
        {
            if (Refused.Contains(property.Name))
                throw new ConstraintException(part.Path, property.Name, "this keyword is not supported");
        }
    }

    public static int Count(Part part, string keyword, int otherwise)
    {
        if (!part.Has(keyword, out var value))
            return otherwise;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && number >= 0 && number == decimal.Truncate(number)
            ? (int)Math.Min(number, int.MaxValue)
            : throw new ConstraintException(part.Path, keyword, "expected a whole number from 0");
    }

    public static bool Flag(Part part, string keyword) => part.Has(keyword, out var value) && value.ValueKind == JsonValueKind.True;

    public static IEnumerable<string> Names(Part part, string keyword)
    {
        if (!part.Has(keyword, out var value))
            return [];
        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String)
            ? value.EnumerateArray().Select(one => one.GetString()!)
            : throw new ConstraintException(part.Path, keyword, "expected an array of names");
    }

    public static IEnumerable<Part> Members(Part part, string keyword)
    {
        if (!part.Has(keyword, out var value))
            return [];
        return value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject().Select(one => part.Child($"{keyword}/{Escaped(one.Name)}", one.Value))
            : throw new ConstraintException(part.Path, keyword, "expected an object");
    }

    public static List<Part> Elements(Part part, string keyword)
    {
        if (!part.Has(keyword, out var value))
            return [];
        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select((one, index) => part.Child($"{keyword}/{index}", one))]
            : throw new ConstraintException(part.Path, keyword, "expected an array");
    }

    public static string Escaped(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
