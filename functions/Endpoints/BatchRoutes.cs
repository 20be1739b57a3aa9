namespace R1Serverless.Endpoints;

/// <summary>/v1/batches.</summary>
internal static class BatchRoutes
{
    public static void MapBatches(this IEndpointRouteBuilder routes)
    {
        BatchEndpoints batches = routes.ServiceProvider.GetRequiredService<BatchEndpoints>();
        routes.MapPost("/v1/batches", (RequestDelegate)batches.CreateAsync);
        routes.MapRead("/v1/batches", batches.ListAsync);
        routes.MapRead("/v1/batches/{id}", batches.FindAsync);
        routes.MapPost("/v1/batches/{id}/cancel", (RequestDelegate)batches.CancelAsync);
    }
}
