using System.Globalization;
using System.Text.Json;

namespace R1Serverless.Access;

/// <summary>An object of a key file, read field by field; what was not asked for is an error at the end.</summary>
internal sealed class StrictObject
{
    // Longer than any field's, shorter than a key that got into the wrong place.
    private const int LongestShownName = 24;

    private readonly JsonElement _element;
    private readonly string _path;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    private StrictObject(JsonElement element, string path) => (_element, _path) = (element, path);

    /// <param name="path">Where it stands, such as <c>keys[2]</c>; empty for the whole file.</param>
    public static StrictObject Of(JsonElement element, string path) => element.ValueKind == JsonValueKind.Object
        ? new StrictObject(element, path)
        : throw new InvalidKeysException($"{(path.Length > 0 ? path : "the file")} must be a JSON object");

    public bool Has(string field)
    {
        _known.Add(field);
        return _element.TryGetProperty(field, out _);
    }

    public string Text(string field, Func<string, bool> isValid, string expected) =>
        Get(field) is { ValueKind: JsonValueKind.String } value && value.GetString() is { } text && isValid(text) ? text : throw Wrong(field, $"must be {expected}");

    public int Number(string field, int least, int most) =>
        Get(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int number) && number >= least && number <= most
            ? number
            : throw Wrong(field, string.Create(CultureInfo.InvariantCulture, $"must be a whole number from {least} to {most}"));

    public DateTimeOffset Time(string field) =>
        Get(field) is { ValueKind: JsonValueKind.String } value && value.GetString() is { } text && text.EndsWith('Z')
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time
            : throw Wrong(field, "must be a time in UTC such as 2027-01-31T00:00:00Z");

    public IEnumerable<(JsonElement Element, string Path)> Items(string field) => Get(field) is { ValueKind: JsonValueKind.Array } value
        ? value.EnumerateArray().Select((one, i) => (one, $"{PathOf(field)}[{i}]"))
        : throw Wrong(field, "must be an array");

    /// <summary>Null where there is no such field.</summary>
    public StrictObject? Object(string field) => Has(field) ? Of(Get(field), PathOf(field)) : null;

    /// <summary>To be called when all fields have been asked for.</summary>
    public void End()
    {
        foreach (JsonProperty one in _element.EnumerateObject())
        {
            if (_known.Contains(one.Name)) continue;
            string shown = one.Name.Length <= LongestShownName ? $"'{one.Name}'" : "a field";
            throw new InvalidKeysException($"{(_path.Length > 0 ? _path : "the file")} has {shown}, which is not known here; known are {string.Join(", ", _known)}");
        }
    }

    public InvalidKeysException Wrong(string field, string expected) => new($"{PathOf(field)} {(_element.TryGetProperty(field, out _) ? expected : "is missing: it " + expected)}");

    private JsonElement Get(string field) => Has(field) ? _element.GetProperty(field) : default;

    private string PathOf(string field) => _path.Length > 0 ? $"{_path}.{field}" : field;
}
