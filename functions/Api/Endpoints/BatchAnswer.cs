using System.Text.Json;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Api.Endpoints;

/// <summary>A batch as the API shows it.</summary>
internal static class BatchAnswer
{
    public static BatchWire Of(BatchJob job) => new(
        job.Id,
        "batch",
        job.Endpoint,
        job.Faults.Count == 0 ? null
        : new BatchErrorsWire("list", [.. job.Faults.Select(fault => new BatchErrorWire(fault.Code, fault.Message, fault.Field, fault.Line))]),
        job.InputFile,
        BatchCall.WindowText(job.Window),
        Name(job.State),
        // The ids are chosen before the files are there.
        job.IsEnded ? job.OutputFile : null,
        job.IsEnded ? job.ErrorFile : null,
        job.Times.Created, job.Times.InProgress, job.Times.Expires, job.Times.Finalizing, job.Times.Completed, job.Times.Failed,
        job.Times.Expired, job.Times.Cancelling, job.Times.Cancelled,
        new BatchCountsWire(job.Counts.Total, job.Counts.Completed, job.Counts.Failed),
        job.Metadata);

    public static string Name(BatchState state) => JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString());
}
