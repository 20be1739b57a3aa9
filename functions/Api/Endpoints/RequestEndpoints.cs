using R1Serverless.Abstractions;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>GET /v1/requests/{id}: a request that somebody comes back for. DELETE takes it back, unless it has ended.</summary>
internal sealed class RequestEndpoints(QueueConnection connection)
{
    public const string Path = "/v1/requests/";

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    public Task FindAsync(HttpContext context) => AnswerAsync(context, cancels: false);

    public Task CancelAsync(HttpContext context) => AnswerAsync(context, cancels: true);

    private async Task AnswerAsync(HttpContext context, bool cancels)
    {
        if (connection.Queue is not { } queue)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.Unavailable("The queue is not open yet.", "loading", RetryLater));
            return;
        }

        var id = context.GetRouteValue("id") as string ?? "";
        RequestRecords records = new(queue.Transport.Store);
        if (await records.FindAsync(RequestIdentity.OwnerOf(context), id, context.RequestAborted) is not { } record)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(
                StatusCodes.Status404NotFound, $"There is no request '{Truncated.Name(id)}' of this API key; results are kept for a while only.",
                "request_not_found"));
            return;
        }

        if (cancels) await queue.Gateway.CancelAsync(new RequestId(record.Id), context.RequestAborted);
        var result = await new ResultStore(queue.Transport.Store).FindAsync(new RequestId(record.Id), context.RequestAborted);
        if (result?.Variant is { } variant) VariantHeader.Set(context.Response, variant);
        await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, RequestRecordMapping.Answer(record, result), WireJson.Relaxed.RequestAnswer);
    }
}
