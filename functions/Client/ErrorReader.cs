using System.Net;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Client;

/// <summary>Errors of a server back into ours: what <see cref="ApiError.From"/> writes, the other way round.</summary>
internal static class ErrorReader
{
    /// <summary>The error that a JSON object holds, or null.</summary>
    public static InferenceError? Find(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty("error", out var error) || error.ValueKind != JsonValueKind.Object)
            return null;
        var message = Text(error, "message") ?? "The server failed without saying why.";
        return new InferenceError(Kind(Text(error, "code"), Text(error, "type")), message, Text(error, "param"));
    }

    public static async Task<InferenceError> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var retryAfter = response.Headers.RetryAfter?.Delta;
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            using var document = JsonDocument.Parse(body);
            if (Find(document.RootElement) is { } error) return error with { RetryAfter = retryAfter };
        }
        catch (JsonException)
        {
            // A proxy's page, most likely: the status must do.
        }

        return new InferenceError(Kind(response.StatusCode), $"The server answered {(int)response.StatusCode} {response.ReasonPhrase}.",
            RetryAfter: retryAfter);
    }

    private static InferenceErrorKind Kind(string? code, string? type) => (code, type) switch
    {
        ("model_not_found", _) => InferenceErrorKind.ModelNotFound,
        ("context_length_exceeded", _) => InferenceErrorKind.ContextLengthExceeded,
        ("out_of_memory", _) => InferenceErrorKind.OutOfMemory,
        (_, "rate_limit_error") => InferenceErrorKind.QueueFull,
        (_, "service_unavailable") => InferenceErrorKind.Unavailable,
        (_, "invalid_request_error") => InferenceErrorKind.InvalidRequest,
        _ => InferenceErrorKind.Internal,
    };

    private static InferenceErrorKind Kind(HttpStatusCode status) => status switch
    {
        HttpStatusCode.TooManyRequests => InferenceErrorKind.QueueFull,
        HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout => InferenceErrorKind.Unavailable,
        >= HttpStatusCode.InternalServerError => InferenceErrorKind.Internal,
        _ => InferenceErrorKind.InvalidRequest,
    };

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
