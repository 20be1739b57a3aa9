namespace R1Serverless.Endpoints;

/// <summary>/v1/files.</summary>
internal static class FileRoutes
{
    public static void MapFiles(this IEndpointRouteBuilder routes)
    {
        FileEndpoints files = routes.ServiceProvider.GetRequiredService<FileEndpoints>();
        routes.MapPost("/v1/files", (RequestDelegate)files.UploadAsync);
        routes.MapRead("/v1/files", files.ListAsync);
        routes.MapRead("/v1/files/{id}", files.FindAsync);
        routes.MapRead("/v1/files/{id}/content", files.ReadAsync);
        routes.MapDelete("/v1/files/{id}", (RequestDelegate)files.DeleteAsync);
    }
}
