using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Batches;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>Files that batches read and write. Each key sees only its own.</summary>
internal sealed class FileEndpoints(BatchStore bulk, FileUpload upload)
{
    private const int MaxListed = 10_000;

    public async Task UploadAsync(HttpContext context)
    {
        ValidationResult faults = new();
        var files = (await bulk.OpenAsync(context.RequestAborted)).Files;
        if (await upload.ReadAsync(context, files, faults) is { } file) await WriteAsync(context, file);
        else await ErrorAnswers.WriteAsync(context, faults.First ?? ApiError.Invalid("The upload is not understood."));
    }

    public async Task ListAsync(HttpContext context)
    {
        if (await ListQuery.ReadAsync(context, MaxListed, usual: MaxListed) is not { } query) return;
        var purpose = context.Request.Query.TryGetValue("purpose", out var named) ? named.ToString() : null;
        var files = (await bulk.OpenAsync(context.RequestAborted)).Files;
        var all = files.ListAsync(RequestIdentity.OwnerOf(context), query.After, query.OldestFirst, context.RequestAborted)
            .Where(file => purpose is null || file.Purpose == purpose).Select(Wire);
        var page = await query.PageAsync(all, file => file.Id, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, page, WireJson.Relaxed.ListWireFileWire);
    }

    public Task FindAsync(HttpContext context) => WithFileAsync(context, (_, file) => WriteAsync(context, file));

    public Task ReadAsync(HttpContext context) => WithFileAsync(context, async (files, file) =>
    {
        if (await files.OpenAsync(file, context.RequestAborted) is not { } content)
        {
            await ErrorAnswers.WriteAsync(context, Missing(file.Id));
            return;
        }

        await using (content)
        {
            context.Response.ContentType = "application/octet-stream";
            context.Response.ContentLength = file.Bytes;
            await content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
    });

    public Task DeleteAsync(HttpContext context) => WithFileAsync(context, async (files, file) =>
    {
        await files.DeleteAsync(file, context.RequestAborted);
        await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, new DeletedWire(file.Id, "file", true), WireJson.Relaxed.DeletedWire);
    });

    private async Task WithFileAsync(HttpContext context, Func<FileStore, StoredFile, Task> answer)
    {
        var files = (await bulk.OpenAsync(context.RequestAborted)).Files;
        var id = context.GetRouteValue("id") as string ?? "";
        await (await files.FindAsync(id, RequestIdentity.OwnerOf(context), context.RequestAborted) is { } file
            ? answer(files, file)
            : ErrorAnswers.WriteAsync(context, Missing(id)));
    }

    private static Task WriteAsync(HttpContext context, StoredFile file) =>
        JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, Wire(file), WireJson.Relaxed.FileWire);

    private static FileWire Wire(StoredFile file) =>
        new(file.Id, "file", file.Bytes, file.Created, file.Expires, file.Name, file.Purpose, "processed");

    private static ApiError Missing(string id) =>
        ApiError.WithStatus(StatusCodes.Status404NotFound, $"There is no file '{Truncated.Name(id)}'; GET /v1/files lists those there are.",
            "file_not_found");
}
