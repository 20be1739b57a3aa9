using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Batches;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>Bulk jobs over uploaded files. Each key sees only its own.</summary>
internal sealed class BatchEndpoints(BatchStore bulk, OwnerQuotaCheck limit, ServeOptions options, TimeProvider time)
{
    private const int MaxListed = 100, UsuallyListed = 20;

    public async Task CreateAsync(HttpContext context)
    {
        ValidationResult faults = new();
        var body = await RequestBytes.ReadJsonAsync(context.Request, options.MaxBodyBytes, faults);
        var call = body is null ? null : BatchCall.Read(body, faults);
        var store = await bulk.OpenAsync(context.RequestAborted);
        var owner = RequestIdentity.OwnerOf(context);
        var input = call is null ? null : await store.Files.FindAsync(call.InputFileId, owner, context.RequestAborted);
        if (call is not null && input is null)
        {
            faults.Add(new ApiError(
                StatusCodes.Status404NotFound, "invalid_request_error", $"There is no file '{Truncated.Name(call.InputFileId)}'.", "input_file_id",
                "file_not_found"));
        }
        else if (input is { Purpose: not FileStore.BatchPurpose })
        {
            faults.Add("input_file_id", $"'input_file_id' must name a file with the purpose \"{FileStore.BatchPurpose}\", not \"{input.Purpose}\".");
        }

        // Last, since it counts the lines in.
        if (faults.First is null && await limit.AddBatchAsync(owner, input!.Lines ?? 1, context.RequestAborted) is { } busy) faults.Add(busy);
        if (faults.First is { } fault) await ErrorAnswers.WriteAsync(context, fault);
        else await WriteAsync(context, await store.Jobs.CreateAsync(Job(call!, input!, store.Jobs.NewId()), context.RequestAborted));
    }

    public async Task ListAsync(HttpContext context)
    {
        if (await ListQuery.ReadAsync(context, MaxListed, UsuallyListed) is not { } query) return;
        var jobs = (await bulk.OpenAsync(context.RequestAborted)).Jobs;
        var page = await query.PageAsync(
            jobs.ListAsync(RequestIdentity.OwnerOf(context), query.After, context.RequestAborted).Select(BatchAnswer.Of), job => job.Id,
            context.RequestAborted);
        await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, page, WireJson.Relaxed.ListWireBatchWire);
    }

    public async Task FindAsync(HttpContext context)
    {
        if (await FindAsync(context, (await bulk.OpenAsync(context.RequestAborted)).Jobs) is { } job) await WriteAsync(context, job);
    }

    public async Task CancelAsync(HttpContext context)
    {
        var jobs = (await bulk.OpenAsync(context.RequestAborted)).Jobs;
        if (await FindAsync(context, jobs) is not { } job) return;
        job = await jobs.CancelAsync(job.Id, context.RequestAborted) ?? job;
        if (job.State is BatchState.Cancelling or BatchState.Cancelled)
        {
            await WriteAsync(context, job);
            return;
        }

        await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(
            StatusCodes.Status409Conflict, $"The batch is {BatchAnswer.Name(job.State)}: there is nothing left to cancel.", "batch_not_cancellable")
            with
        { IsFinal = true });
    }

    private static async ValueTask<BatchJob?> FindAsync(HttpContext context, BatchJobs jobs)
    {
        var id = context.GetRouteValue("id") as string ?? "";
        if (await jobs.FindAsync(id, RequestIdentity.OwnerOf(context), context.RequestAborted) is { } job) return job;
        await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(
            StatusCodes.Status404NotFound, $"There is no batch '{Truncated.Name(id)}'; GET /v1/batches lists those there are.", "batch_not_found"));
        return null;
    }

    private static Task WriteAsync(HttpContext context, BatchJob job) =>
        JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, BatchAnswer.Of(job), WireJson.Relaxed.BatchWire);

    private BatchJob Job(BatchCall call, StoredFile input, string id)
    {
        var now = time.GetUtcNow();
        return new BatchJob
        {
            Id = id,
            Owner = input.Owner,
            Input = FileStore.Content(input.Id),
            InputFile = input.Id,
            Lines = input.Lines,
            Endpoint = call.Endpoint,
            Window = call.Window,
            Metadata = call.Metadata,
            OutputLifetime = call.OutputLifetime,
            Times = new BatchTimes(now.ToUnixTimeSeconds(), (now + call.Window).ToUnixTimeSeconds()),
        };
    }
}
