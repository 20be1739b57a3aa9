using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace R1Serverless.Endpoints;

/// <summary>Writes one record as the whole answer, with its length.</summary>
internal static class JsonAnswers
{
    public static Task WriteAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(value, type);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
