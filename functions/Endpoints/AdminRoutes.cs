using R1Serverless.Access;

namespace R1Serverless.Endpoints;

/// <summary>/admin: what operators see and do, with keys of their own.</summary>
internal static class AdminRoutes
{
    public static void MapAdmin(this WebApplication app)
    {
        QueueAdmin queues = app.Services.GetRequiredService<QueueAdmin>();
        CurrentKeys keys = app.Services.GetRequiredService<CurrentKeys>();
        app.MapGet("/admin/queues", (RequestDelegate)queues.StatisticsAsync);
        app.MapGet("/admin/queues/{class}/messages", (RequestDelegate)queues.MessagesAsync);
        app.MapGet("/admin/queues/{class}/dead-letters", (RequestDelegate)queues.DeadLettersAsync);
        app.MapPost("/admin/queues/{class}/redrive", (RequestDelegate)queues.RedriveAsync);
        app.MapGet("/admin/keys", (RequestDelegate)(context => JsonAnswers.WriteAsync(context, output => KeyListing.Write(output, keys.Ring.Keys))));
    }
}
