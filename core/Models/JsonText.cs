using System.Text;
using System.Text.Json;

namespace R1Serverless.Models;

/// <summary>What JSON that can be parsed may still hide: strings that are no text, and fields that come twice, of which one would be passed over
/// without a word.</summary>
public static class JsonText
{
    /// <summary>One object of a file of JSON lines.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    /// <exception cref="InvalidDataException">It is JSON, but no object whose every field is one and every string a text; the message goes on where
    /// "line 3" was said.</exception>
    public static JsonDocument ParseLine(string line)
    {
        var bytes = Encoding.UTF8.GetBytes(line);
        var document = JsonDocument.Parse(bytes);
        var fault = document.RootElement.ValueKind != JsonValueKind.Object ? ": a JSON object is expected."
            : HasBrokenEscape(bytes, default) ? " has a \\u escape that is half of a surrogate pair."
            : RepeatedField(document.RootElement) is { } twice ? $" has '{twice}' twice." : null;
        if (fault is null) return document;
        document.Dispose();
        throw new InvalidDataException(fault);
    }

    /// <summary>Whether a string holds half a surrogate pair: a document accepts that and throws only when the string is read.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static bool HasBrokenEscape(ReadOnlySpan<byte> json, JsonReaderOptions options)
    {
        if (json.IndexOf("\\u"u8) < 0) return false;
        Utf8JsonReader reader = new(json, options);
        try
        {
            while (reader.Read())
            {
                if (reader.ValueIsEscaped) _ = reader.GetString();
            }
        }
        catch (InvalidOperationException)
        {
            return true;
        }

        return false;
    }

    /// <summary>The first field that an object has twice, with its path: <c>webhook.url</c>; null where none does.</summary>
    /// <param name="element">Without broken escapes.</param>
    public static string? RepeatedField(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            var i = 0;
            foreach (var item in element.EnumerateArray())
            {
                // Long lists are of numbers.
                if (item.ValueKind is JsonValueKind.Object or JsonValueKind.Array && RepeatedField(item) is { } inside) return $"[{i}].{inside}";
                i++;
            }
        }

        if (element.ValueKind != JsonValueKind.Object) return null;
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (var field in element.EnumerateObject())
        {
            if (!seen.Add(field.Name)) return Short(field.Name);
            if (RepeatedField(field.Value) is { } inside) return Short(field.Name) + (inside.StartsWith('[') ? inside : $".{inside}");
        }

        return null;
    }

    private static string Short(string name) => name.Length <= 64 ? name : $"{name.AsSpan(0, 64)}…";
}
