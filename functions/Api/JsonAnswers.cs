using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api;

/// <summary>Writes JSON as the whole answer, with its length.</summary>
internal static class JsonAnswers
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = WireJson.Encoder };

    public static Task WriteAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type) =>
        WriteAsync(context, status, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>With status 200, for people and programs alike.</summary>
    public static async Task WriteAsync(HttpContext context, JsonObject value)
    {
        using MemoryStream body = new();
        WriteIndented(body, value);
        await WriteAsync(context, StatusCodes.Status200OK, body.ToArray());
    }

    /// <summary>With a line break at the end, as commands print it.</summary>
    public static void WriteIndented(Stream output, JsonObject value)
    {
        using (Utf8JsonWriter json = new(output, Indented)) value.WriteTo(json);
        output.Write("\n"u8);
        output.Flush();
    }

    /// <summary>JSON that is written already.</summary>
    public static Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
