using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace R1Serverless.Queues.Batches;

/// <summary>How jobs and files are kept.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    IgnoreReadOnlyProperties = true)]
[JsonSerializable(typeof(BatchJob))]
[JsonSerializable(typeof(StoredFile))]
[JsonSerializable(typeof(SegmentHead))]
[JsonSerializable(typeof(JobFailure))]
internal sealed partial class BatchJson : JsonSerializerContext
{
    public static byte[] Write<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(value, type);

    /// <exception cref="InvalidDataException">It is no such object.</exception>
    public static T Read<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type, string name)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new InvalidDataException($"{name} is empty.");
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException($"{name} can't be read (field '{fault.Path}').", fault);
        }
    }
}

/// <summary>Why a job that came by the queue was not run, written in place of its results.</summary>
public sealed record JobFailure(string Id, IReadOnlyList<LineFault> Errors);
