namespace R1Serverless.Endpoints;

/// <summary>/v1/batches.</summary>
internal static class BatchRoutes
{
    public static void MapBatches(this WebApplication app)
    {
        BatchEndpoints batches = app.Services.GetRequiredService<BatchEndpoints>();
        app.MapPost("/v1/batches", (RequestDelegate)batches.CreateAsync);
        app.MapGet("/v1/batches", (RequestDelegate)batches.ListAsync);
        app.MapGet("/v1/batches/{id}", (RequestDelegate)batches.FindAsync);
        app.MapPost("/v1/batches/{id}/cancel", (RequestDelegate)batches.CancelAsync);
    }
}
