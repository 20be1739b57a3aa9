using System.Buffers;
using System.Globalization;
using System.Text.Json;
using static R1Serverless.Access.KeyFileFormat;

namespace R1Serverless.Access;

/// <summary>From keys to the JSON that <see cref="KeyFileReader"/> reads.</summary>
internal static class KeyFileWriter
{
    public static ReadOnlyMemory<byte> Write(IReadOnlyList<NamedKey> keys)
    {
        ArrayBufferWriter<byte> output = new();
        using (Utf8JsonWriter json = new(output, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber(VersionField, Newest);
            json.WriteStartArray(KeysField);
            foreach (NamedKey key in keys) WriteKey(json, key, withHashes: true);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        return output.WrittenMemory;
    }

    public static void WriteKey(Utf8JsonWriter json, NamedKey key, bool withHashes)
    {
        json.WriteStartObject();
        json.WriteString(Name, key.Name);
        json.WriteString(Id, key.Id);
        if (withHashes) json.WriteString(Sha256, key.Sha256);
        json.WriteStartArray(Scopes);
        foreach (string scope in ScopeName.Of(key.Scopes)) json.WriteStringValue(scope);
        json.WriteEndArray();
        WriteTime(json, Created, key.Created);
        WriteTime(json, Expires, key.Expires);
        if (key.Previous is { } previous)
        {
            json.WriteStartObject(Previous);
            if (withHashes) json.WriteString(Sha256, previous.Sha256);
            WriteTime(json, Expires, previous.Expires);
            json.WriteEndObject();
        }

        if (key.Limits != KeyLimits.None)
        {
            json.WriteStartObject(Limits);
            WriteLimit(json, MaxConcurrent, key.Limits.MaxConcurrent);
            WriteLimit(json, MaxQueued, key.Limits.MaxQueued);
            WriteLimit(json, RequestsPerMinute, key.Limits.RequestsPerMinute);
            WriteLimit(json, TokensPerMinute, key.Limits.TokensPerMinute);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>To the second, as people write it.</summary>
    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static void WriteTime(Utf8JsonWriter json, string field, DateTimeOffset? time)
    {
        if (time is { } known) json.WriteString(field, Text(known));
    }

    private static void WriteLimit(Utf8JsonWriter json, string field, int? limit)
    {
        if (limit is { } most) json.WriteNumber(field, most);
    }
}
