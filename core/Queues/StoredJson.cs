using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace R1Serverless.Queues;

/// <summary>Small objects of the store.</summary>
internal static class StoredJson
{
    /// <summary>Null where it is no such object of this build.</summary>
    public static T? Read<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
