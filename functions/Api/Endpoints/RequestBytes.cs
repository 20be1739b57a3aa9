using System.Buffers;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api.Endpoints;

/// <summary>Reads a whole body up to a limit.</summary>
internal static class RequestBytes
{
    /// <summary>A JSON body, or null with the fault noted: it is of another type, or too long.</summary>
    /// <param name="limit">In bytes.</param>
    public static async ValueTask<byte[]?> ReadJsonAsync(HttpRequest request, int limit, ValidationResult faults)
    {
        // A web page may send text and forms to a local port without asking the browser's leave, but not JSON: this keeps it out.
        if (!request.HasJsonContentType())
            faults.Add(ApiError.WithStatus(StatusCodes.Status415UnsupportedMediaType,
                "Send the body as JSON, with the header 'Content-Type: application/json'.", "unsupported_media_type"));
        else return await ReadAsync(request, limit, faults);
        return null;
    }

    /// <summary>A body of the Open Inference Protocol, of whatever type it is said to be: Triton's clients name none, and curl calls it a form. The
    /// origin of a web page is checked all the same.</summary>
    /// <param name="limit">In bytes.</param>
    public static ValueTask<byte[]?> ReadTensorsAsync(HttpRequest request, int limit, ValidationResult faults) => ReadAsync(request, limit, faults);

    private static async ValueTask<byte[]?> ReadAsync(HttpRequest request, int limit, ValidationResult faults)
    {
        if (await ReadAsync(request, limit, request.HttpContext.RequestAborted) is { } body) return body;
        faults.Add(ApiError.WithStatus(StatusCodes.Status413PayloadTooLarge, $"The body may have at most {limit} bytes.", "request_too_large"));
        return null;
    }

    /// <summary>The body, or null if it is longer than <paramref name="limit"/> bytes; then the rest is left unread.</summary>
    private static async ValueTask<byte[]?> ReadAsync(HttpRequest request, int limit, CancellationToken cancellationToken)
    {
        if (request.ContentLength > limit) return null;
        var reader = request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            if (buffer.Length > limit)
            {
                reader.AdvanceTo(buffer.End);
                return null;
            }

            if (result.IsCompleted)
            {
                var body = buffer.ToArray();
                reader.AdvanceTo(buffer.End);
                return body;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }
}
