using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>One line of a batch's output or error file.</summary>
internal sealed record BatchLineWire(string Id, string CustomId, BatchResponseWire? Response, BatchLineErrorWire? Error);

internal sealed record BatchResponseWire(int StatusCode, string RequestId, JsonElement Body);

internal sealed record BatchLineErrorWire(string Code, string Message);

/// <summary>A batch as /v1/batches shows it; moments in Unix seconds.</summary>
internal sealed record BatchWire(
    string Id,
    string Object,
    string Endpoint,
    BatchErrorsWire? Errors,
    string? InputFileId,
    string CompletionWindow,
    string Status,
    string? OutputFileId,
    string? ErrorFileId,
    long CreatedAt,
    long? InProgressAt,
    long ExpiresAt,
    long? FinalizingAt,
    long? CompletedAt,
    long? FailedAt,
    long? ExpiredAt,
    long? CancellingAt,
    long? CancelledAt,
    BatchCountsWire RequestCounts,
    IReadOnlyDictionary<string, string>? Metadata);

internal sealed record BatchErrorsWire(string Object, IReadOnlyList<BatchErrorWire> Data);

internal sealed record BatchErrorWire(string Code, string Message, string? Param, long? Line);

internal sealed record BatchCountsWire(long Total, long Completed, long Failed);

/// <summary>A file as /v1/files shows it.</summary>
/// <param name="ExpiresAt">Null where it is kept until it is deleted.</param>
internal sealed record FileWire(
    string Id, string Object, long Bytes, long CreatedAt, long? ExpiresAt, string Filename, string Purpose, string Status);

internal sealed record DeletedWire(string Id, string Object, bool Deleted);

/// <summary>A page of a list.</summary>
internal sealed record ListWire<T>(string Object, IReadOnlyList<T> Data, string? FirstId, string? LastId, bool HasMore);
