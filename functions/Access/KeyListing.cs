using System.Text.Json;
using static R1Serverless.Access.KeyFileFormat;

namespace R1Serverless.Access;

/// <summary>Keys for operators' programs: all but the hashes.</summary>
internal static class KeyListing
{
    /// <summary>One object with an array <c>keys</c>.</summary>
    public static void Write(Stream output, IReadOnlyList<NamedKey> keys)
    {
        using Utf8JsonWriter json = new(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartArray(KeysField);
        foreach (NamedKey key in keys) KeyFileWriter.WriteKey(json, key, withHashes: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
