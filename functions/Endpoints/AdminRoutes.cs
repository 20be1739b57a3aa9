using R1Serverless.Access;

namespace R1Serverless.Endpoints;

/// <summary>/manage: what operators see and do, with keys of their own.</summary>
internal static class AdminRoutes
{
    public static void MapAdmin(this IEndpointRouteBuilder routes)
    {
        QueueAdmin queues = routes.ServiceProvider.GetRequiredService<QueueAdmin>();
        CurrentKeys keys = routes.ServiceProvider.GetRequiredService<CurrentKeys>();
        routes.MapRead("/manage/queues", queues.StatisticsAsync);
        routes.MapRead("/manage/queues/{class}/messages", queues.MessagesAsync);
        routes.MapRead("/manage/queues/{class}/dead-letters", queues.DeadLettersAsync);
        routes.MapPost("/manage/queues/{class}/redrive", (RequestDelegate)queues.RedriveAsync);
        routes.MapRead("/manage/keys", (context => JsonAnswers.WriteAsync(context, output => KeyListing.Write(output, keys.Ring.Keys))));
    }
}
