namespace R1Serverless.Endpoints;

/// <summary>/v1/files.</summary>
internal static class FileRoutes
{
    public static void MapFiles(this WebApplication app)
    {
        FileEndpoints files = app.Services.GetRequiredService<FileEndpoints>();
        app.MapPost("/v1/files", (RequestDelegate)files.UploadAsync);
        app.MapGet("/v1/files", (RequestDelegate)files.ListAsync);
        app.MapGet("/v1/files/{id}", (RequestDelegate)files.FindAsync);
        app.MapGet("/v1/files/{id}/content", (RequestDelegate)files.ReadAsync);
        app.MapDelete("/v1/files/{id}", (RequestDelegate)files.DeleteAsync);
    }
}
