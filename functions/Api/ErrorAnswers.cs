using System.Globalization;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api;

/// <summary>Writes an error as the whole answer: in OpenAI's shape, below /v2 as the Open Inference Protocol has it, and to gRPC clients as a status
/// of theirs.</summary>
internal static class ErrorAnswers
{
    /// <summary>Below it the Open Inference Protocol is spoken.</summary>
    public static readonly PathString TensorPath = new("/v2");

    public static Task WriteAsync(HttpContext context, ApiError error)
    {
        var response = context.Response;
        if (error.RetryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (error.IsFinal) response.Headers["x-should-retry"] = "false";
        if (IsRpc(context.Request)) return WriteRpcAsync(response, error);
        return context.Request.Path.StartsWithSegments(TensorPath, StringComparison.OrdinalIgnoreCase)
            ? JsonAnswers.WriteAsync(context, error.Status, new TensorErrorAnswer(error.Message), WireJson.Relaxed.TensorErrorAnswer)
            : JsonAnswers.WriteAsync(context, error.Status, ErrorWire.From(error), WireJson.Relaxed.ErrorAnswer);
    }

    private static bool IsRpc(HttpRequest request) => request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>An answer of trailers only: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.</summary>
    private static Task WriteRpcAsync(HttpResponse response, ApiError error)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = RpcCode.Of(error).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(error.Message);
        return response.CompleteAsync();
    }
}
