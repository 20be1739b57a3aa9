using System.Globalization;
using R1Serverless.OpenAi;

namespace R1Serverless.Endpoints;

/// <summary>Writes an error as the whole answer.</summary>
internal static class ErrorAnswers
{
    public static Task WriteAsync(HttpContext context, ApiError error)
    {
        if (error.RetryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        return JsonAnswers.WriteAsync(context, error.Status, ErrorWire.From(error), WireJson.Relaxed.ErrorAnswer);
    }
}
