using System.Text.Json;

namespace R1Serverless.Models;

/// <summary>Typed reads from one object of a JSON file whose errors name the file and the field. A JSON null counts as absent, as in Hugging Face's
/// files.</summary>
public readonly struct JsonFields(string path, JsonElement root, string prefix = "")
{
    /// <exception cref="InvalidModelException">The file is missing or holds no JSON object.</exception>
    public static JsonFields Load(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            using var document = JsonDocument.Parse(stream);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return new JsonFields(path, document.RootElement.Clone());
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidModelException($"{path} does not exist.", e);
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"{path} is not valid JSON: {e.Message}", e);
        }

        throw new InvalidModelException($"{path} must hold a JSON object.");
    }

    public JsonElement? Find(string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public JsonFields? FindObject(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonFields(path, value, $"{prefix}{name}."),
        _ => throw Invalid(name, "must be an object"),
    };

    public string? FindString(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => Text(value, name),
        _ => throw Invalid(name, "must be a string"),
    };

    private string Text(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Invalid(name, "has a \\u escape that is half of a surrogate pair");
        }
    }

    public bool? FindBoolean(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Invalid(name, "must be true or false"),
    };

    public int? FindInteger(string name, int least, int most = int.MaxValue)
    {
        if (Find(name) is not { } value)
            return null;

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most
            ? number
            : throw Invalid(name,
            $"must be a whole number of at least {least}{(most == int.MaxValue ? "" : $" and at most {most}")}, but is {value.GetRawText()}");
    }

    public double? FindNumber(string name, double least, double most)
    {
        if (Find(name) is not { } value)
            return null;

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? number
            : throw Invalid(name, $"must be a number from {least} to {most}, but is {value.GetRawText()}");
    }

    /// <summary>One whole number or a list of them; empty where absent.</summary>
    public IReadOnlyList<int> Integers(string name)
    {
        if (Find(name) is not { } value)
            return [];

        List<int> numbers = [];
        foreach (var item in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value])
        {
            numbers.Add(item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var number) && number >= 0
                ? number
                : throw Invalid(name, "must be a token id or a list of token ids"));
        }

        return numbers;
    }

    /// <summary>A list of <paramref name="count"/> numbers that must be there.</summary>
    public IReadOnlyList<double> Numbers(string name, int count, double least, double most)
    {
        if (Find(name) is not { } value) throw Missing(name);
        double[] numbers = value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.Number ? item.GetDouble() : double.NaN)] : [];
        return numbers.Length == count && numbers.All(number => number >= least && number <= most) ? numbers
            : throw Invalid(name, $"must be a list of {count} numbers from {least} to {most}");
    }

    /// <summary>The fields that are there.</summary>
    public IReadOnlyList<string> Names =>
        [.. root.EnumerateObject().Where(one => one.Value.ValueKind != JsonValueKind.Null).Select(one => one.Name)];

    /// <summary>Whether the field is there, be it null: a configuration's class may have another value where it isn't.</summary>
    public bool Has(string name) => root.TryGetProperty(name, out _);

    public int Integer(string name, int least, int most = int.MaxValue) => FindInteger(name, least, most) ?? throw Missing(name);

    public double Number(string name, double least, double most) => FindNumber(name, least, most) ?? throw Missing(name);

    public string String(string name) => FindString(name) ?? throw Missing(name);

    public InvalidModelException Missing(string name) => new($"{path}: the field {prefix}{name} is missing.");

    public InvalidModelException Invalid(string name, string problem) => new($"{path}: the field {prefix}{name} {problem}.");
}
