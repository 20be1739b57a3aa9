using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>
/// Reads typed, bounded fields of one JSON object and knows its path. A missing field and a null one are the same. On a fault it notes
/// the field in <see cref="Faults"/> and returns null; the caller looks there once, at the end.
/// </summary>
internal readonly struct RequestReader(JsonElement element, string path, ValidationResult faults)
{
    public JsonElement Element { get; } = element;

    public ValidationResult Faults { get; } = faults;

    public string Path(string name) => path.Length == 0 ? name : $"{path}.{name}";

    /// <summary>The field's value, or null if it is missing or null. Of duplicate names the last counts.</summary>
    public JsonElement? Optional(string name) =>
        Element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public JsonElement? Required(string name)
    {
        var value = Optional(name);
        if (value is null) Faults.Add(Path(name), $"'{Path(name)}' is required.", "missing_required_parameter");
        return value;
    }

    public string? Text(string name) => Optional(name) is { } value ? TextOf(value, Path(name)) : null;

    public string? TextOf(JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        WrongType(at, "a string", value);
        return null;
    }

    public bool? Flag(string name)
    {
        if (Optional(name) is not { } value) return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) return value.GetBoolean();
        WrongType(Path(name), "true or false", value);
        return null;
    }

    /// <summary>A whole number in [<paramref name="least"/>, <paramref name="most"/>].</summary>
    public long? Integer(string name, long least, long most) => Optional(name) is { } value ? IntegerOf(value, Path(name), least, most) : null;

    public long? IntegerOf(JsonElement value, string at, long least, long most)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            WrongType(at, "a whole number", value);
            return null;
        }

        if (WholeOf(value) is { } number && number >= least && number <= most) return number;
        Faults.Add(at, $"'{at}' must be a whole number from {least} to {most}.");
        return null;
    }

    // JSON has one kind of number: 10.0 and 1e1 are 10, as programs write it whose language has no other.
    private static long? WholeOf(JsonElement value) =>
        value.TryGetInt64(out var number) ? number
        : value.TryGetDecimal(out var other) && other == decimal.Truncate(other) && other is >= long.MinValue and <= long.MaxValue ? (long)other
        : null;

    /// <summary>A finite number in [<paramref name="least"/>, <paramref name="most"/>], without the lower end where that is excluded.</summary>
    public float? Number(string name, float least, float most, bool aboveLeast = false) =>
        Optional(name) is { } value ? NumberOf(value, Path(name), least, most, aboveLeast) : null;

    /// <summary>The same where a float's seven digits would not do.</summary>
    public double? Double(string name, double least, double most) =>
        Optional(name) is { } value ? DoubleOf(value, Path(name), least, most, aboveLeast: false) : null;

    public float? NumberOf(JsonElement value, string at, float least, float most, bool aboveLeast = false) =>
        (float?)DoubleOf(value, at, least, most, aboveLeast);

    // A value just above the limit must not round into the range, so it is compared as a double.
    private double? DoubleOf(JsonElement value, string at, double least, double most, bool aboveLeast)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            WrongType(at, "a number", value);
            return null;
        }

        if (value.TryGetDouble(out var number) && number <= most && (aboveLeast ? number > least : number >= least)) return number;
        Faults.Add(at, aboveLeast ? $"'{at}' must be above {least} and at most {most}." : $"'{at}' must be from {least} to {most}.");
        return null;
    }

    public RequestReader? Object(string name) => Optional(name) is { } value ? ObjectOf(value, Path(name)) : null;

    public RequestReader? ObjectOf(JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.Object) return new RequestReader(value, at, Faults);
        WrongType(at, "an object", value);
        return null;
    }

    public void WrongType(string at, string expected, JsonElement actual) =>
        Faults.Add(at, $"'{at}' must be {expected}, not {Kind(actual)}.", "invalid_type");

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}
