using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace R1Serverless.Auth;

/// <summary>A key file's JSON. Strict: an unknown, missing or doubled field is an error, so that a slip of the pen never opens more than was
/// meant.</summary>
internal static class KeyFileFormat
{
    private const int Newest = 1;

    // Longer than any field's, shorter than a key that got into the wrong place.
    private const int LongestShownName = 24;

    private static readonly KeyFileJson Json = new(new JsonSerializerOptions(JsonSerializerDefaults.Strict)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        MaxDepth = 8, WriteIndented = true,
    });

    /// <exception cref="InvalidKeysException">It is not a key file of this version.</exception>
    public static IReadOnlyList<ApiKey> Read(ReadOnlyMemory<byte> json)
    {
        KeyFileContent content;
        try
        {
            content = JsonSerializer.Deserialize(json.Span, Json.KeyFileContent) ?? throw new InvalidKeysException("the file must be a JSON object");
        }
        catch (JsonException fault)
        {
            throw new InvalidKeysException(Explain(fault), fault);
        }
        catch (InvalidOperationException fault)
        {
            throw new InvalidKeysException("a text in it is not valid Unicode", fault);
        }

        if (content.Version != Newest) throw new InvalidKeysException($"version must be {Newest}; a newer r1 may have written the file");
        CheckUnique(content.Keys, "name", key => [key.Name]);
        CheckUnique(content.Keys, "id", key => [key.Id]);
        CheckUnique(content.Keys, "sha256", key => key.Previous is { } previous ? [key.Sha256, previous.Sha256] : [key.Sha256]);
        return content.Keys;
    }

    public static ReadOnlyMemory<byte> Write(IReadOnlyList<ApiKey> keys) =>
        (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(new KeyFileContent(Newest, keys), Json.KeyFileContent), (byte)'\n'];

    /// <summary>Keys for operators' programs: all but the hashes.</summary>
    public static JsonObject List(IReadOnlyList<ApiKey> keys)
    {
        var list = JsonSerializer.SerializeToNode(new KeyFileContent(Newest, keys), Json.KeyFileContent)!.AsObject();
        list.Remove("version");
        foreach (var key in list["keys"]!.AsArray())
        {
            key!.AsObject().Remove("sha256");
            key["previous"]?.AsObject().Remove("sha256");
        }

        return list;
    }

    private static void CheckUnique(IReadOnlyList<ApiKey> keys, string field, Func<ApiKey, string[]> of)
    {
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (var (i, key) in keys.Index())
        {
            if (key is null) throw new InvalidKeysException($"keys[{i}] must be a JSON object");
            if (!of(key).All(seen.Add)) throw new InvalidKeysException($"keys[{i}].{field} is the same as another key's");
        }
    }

    /// <summary>Where it is wrong and what was expected. What stands in the file is repeated nowhere; the serializer's own messages are told apart by
    /// their words, and one that is not known is a fault of the JSON.</summary>
    private static string Explain(JsonException fault)
    {
        var path = fault.Path ?? "$";
        if (fault is UnexpectedValueException) return $"{Place(path)} must be {fault.Message}";
        if (fault.Message.Contains("could not be converted", StringComparison.Ordinal))
            return $"{Place(path)} must be a JSON {(path == "$.keys" ? "array" : "object")}";
        var quoted = fault.Message.Split('\'');
        if (fault.Message.Contains("missing required properties", StringComparison.Ordinal) && quoted is [_, _, _, var lacking, ..])
            return path == "$" ? $"{lacking} is missing" : $"{Place(path)}.{lacking} is missing";
        if (fault.Message.Contains("could not be mapped", StringComparison.Ordinal) && quoted is [_, var unknown, ..])
        {
            var parent = path[..Math.Max(1, path.LastIndexOf(unknown, StringComparison.Ordinal))].TrimEnd('.', '[', '\'');
            var shown = unknown.Length <= LongestShownName ? $"'{unknown}'" : "a field";
            return $"{Place(parent)} has {shown}, which is not known here; a newer r1 may have written the file";
        }

        var place = fault is { LineNumber: { } line, BytePositionInLine: { } at } ? $" at line {line + 1}, byte {at + 1}" : "";
        return $"it is not valid JSON, has a field twice, or null where a value must be{place}";
    }

    private static string Place(string path) => path.Length > 2 ? path[2..] : "the file";
}

internal sealed record KeyFileContent([property: JsonConverter(typeof(WholeNumber))] int? Version, IReadOnlyList<ApiKey> Keys);

[JsonSerializable(typeof(KeyFileContent))]
internal sealed partial class KeyFileJson : JsonSerializerContext;

/// <summary>A key file that can't be used. The message names the field and repeats nothing of what stands in it.</summary>
internal sealed class InvalidKeysException(string message, Exception? inner = null) : Exception(message, inner);
