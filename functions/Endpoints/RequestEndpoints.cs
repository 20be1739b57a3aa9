using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Endpoints;

/// <summary>GET /v1/requests/{id}: a request that somebody comes back for. DELETE takes it back, unless it has ended.</summary>
internal static class RequestEndpoints
{
    public const string Path = "/v1/requests/";

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    public static void MapRequests(this IEndpointRouteBuilder routes)
    {
        QueueConnection connection = routes.ServiceProvider.GetRequiredService<QueueConnection>();
        routes.MapRead(Path + "{id}", (context => AnswerAsync(context, connection, takesBack: false)));
        routes.MapDelete(Path + "{id}", (RequestDelegate)(context => AnswerAsync(context, connection, takesBack: true)));
    }

    private static async Task AnswerAsync(HttpContext context, QueueConnection connection, bool takesBack)
    {
        if (connection.Queue is not { } queue)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.Unavailable("The queue is not open yet.", "loading", RetryLater));
            return;
        }

        string id = context.GetRouteValue("id") as string ?? "";
        RequestRecords records = new(queue.Transport.Store);
        if (await records.FindAsync(RequestIdentity.OwnerOf(context), id, context.RequestAborted) is not { } record)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(
                StatusCodes.Status404NotFound, $"There is no request '{Shortened.Name(id)}' of this API key; results are kept for a while only.", "request_not_found"));
            return;
        }

        if (takesBack) await queue.Gateway.CancelAsync(new RequestId(record.Id), context.RequestAborted);
        InferenceResult? result = await new ResultStore(queue.Transport.Store).FindAsync(new RequestId(record.Id), context.RequestAborted);
        if (result?.Variant is { } variant) VariantHeader.Set(context.Response, variant);
        await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, RecordedCall.Answer(record, result), WireJson.Relaxed.RequestAnswer);
    }
}
