using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace R1Serverless.Endpoints;

/// <summary>Writes JSON as the whole answer, with its length.</summary>
internal static class JsonAnswers
{
    public static Task WriteAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type) =>
        WriteAsync(context, status, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>What <paramref name="write"/> makes, with status 200.</summary>
    public static async Task WriteAsync(HttpContext context, Action<Stream> write)
    {
        using MemoryStream body = new();
        write(body);
        await WriteAsync(context, StatusCodes.Status200OK, body.ToArray());
    }

    private static Task WriteAsync(HttpContext context, int status, byte[] body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
