using System.Text.Json;
using R1Serverless.Endpoints;

namespace R1Serverless.Triggers;

/// <summary>What the host is answered. Never nothing: it would wait for a body until its time is up, and then end the process.</summary>
internal static class InvocationAnswer
{
    /// <param name="logs">For the host's log.</param>
    public static Task WriteAsync(HttpContext context, params IReadOnlyList<string> logs) => JsonAnswers.WriteAsync(context, output =>
    {
        using Utf8JsonWriter json = new(output);
        json.WriteStartObject();
        json.WriteStartObject("Outputs");
        json.WriteEndObject();
        json.WriteStartArray("Logs");
        foreach (string line in logs) json.WriteStringValue(line);
        json.WriteEndArray();
        json.WriteNull("ReturnValue");
        json.WriteEndObject();
    });
}
