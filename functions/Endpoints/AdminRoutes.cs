using R1Serverless.Access;

namespace R1Serverless.Endpoints;

/// <summary>/manage: what operators see and do, with keys of their own.</summary>
internal static class AdminRoutes
{
    public static void MapAdmin(this WebApplication app)
    {
        QueueAdmin queues = app.Services.GetRequiredService<QueueAdmin>();
        CurrentKeys keys = app.Services.GetRequiredService<CurrentKeys>();
        app.MapGet("/manage/queues", (RequestDelegate)queues.StatisticsAsync);
        app.MapGet("/manage/queues/{class}/messages", (RequestDelegate)queues.MessagesAsync);
        app.MapGet("/manage/queues/{class}/dead-letters", (RequestDelegate)queues.DeadLettersAsync);
        app.MapPost("/manage/queues/{class}/redrive", (RequestDelegate)queues.RedriveAsync);
        app.MapGet("/manage/keys", (RequestDelegate)(context => JsonAnswers.WriteAsync(context, output => KeyListing.Write(output, keys.Ring.Keys))));
    }
}
