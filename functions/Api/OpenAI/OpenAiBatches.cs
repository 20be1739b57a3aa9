using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Api.OpenAI;

/// <summary>Batches whose lines are requests of the OpenAI API.</summary>
/// <param name="usualPrecision">For lines that name none; null leaves it to the measurements.</param>
internal sealed class OpenAiBatches(Precision? usualPrecision, TimeProvider time) : IBatchApi
{
    public string Endpoints => CompletionPaths.OfBatches;

    public bool IsEndpoint(string path) => CompletionPaths.Find(path) is not null;

    public string EndpointOf(JsonElement body) => body.TryGetProperty("messages", out _) ? CompletionPaths.Chat : CompletionPaths.Text;

    public LineCheck Check(ReadOnlyMemory<byte> line, string? endpoint)
    {
        ValidationResult faults = new();
        using var document = BatchRequest.Parse(line, faults);
        var read = document is null ? null : BatchRequest.Read(document.RootElement, endpoint, faults);
        return new LineCheck(read?.CustomId,
            faults.First is { } fault ? new LineFault(fault.Code ?? "invalid_value", fault.Message, Field: fault.Param) : null);
    }

    public BatchLine Read(ReadOnlyMemory<byte> line, RequestId id)
    {
        ValidationResult faults = new();
        using var document = BatchRequest.Parse(line, faults);
        var read = document is null ? null : BatchRequest.Read(document.RootElement, endpoint: null, faults);
        var request = read?.Request(id, usualPrecision, faults);
        (var customId, var url) = (read?.CustomId ?? "", read?.Url ?? CompletionPaths.Chat);
        if (request is not null) return new BatchLine(id, customId, url, request.Model, request, null) { HasDeadline = request.Deadline is not null };
        var fault = faults.First ?? ApiError.Invalid("The line is not understood.");
        return new BatchLine(id, customId, url, "", null,
            new LineOutput(BatchWriter.Refused(customId, id, fault), IsError: true))
        { Why = fault.Message };
    }

    public LineOutput Write(BatchLine line, InferenceResult result) =>
        result.Outcome == RequestOutcome.Expired && !line.HasDeadline ? Write(line, GivenUp.BatchExpired) : new(
            BatchWriter.Write(line.CustomId, line.Endpoint, line.Model, result, time.GetUtcNow().ToUnixTimeSeconds()),
            result.Outcome != RequestOutcome.Finished);

    public LineOutput Write(BatchLine line, GivenUp reason) => new(
        reason == GivenUp.BatchCancelled ? BatchWriter.Cancelled(line.CustomId, line.Id) : BatchWriter.Expired(line.CustomId, line.Id),
        IsError: true);
}
