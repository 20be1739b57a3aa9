using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using R1Serverless.Api.OpenAI;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Warmup;

namespace R1Serverless.Api;

/// <summary>The outermost layer: a request id on every answer, the key check, and OpenAI's error shape for whatever goes wrong further in.</summary>
internal sealed partial class ApiErrorMiddleware(RequestDelegate next, ServeOptions options, ApiAuthenticator authenticator, RateLimits rates,
    WebPageGuard pages, WarmupPass warmup, ILogger<ApiErrorMiddleware> log)
{
    // The Functions host's name for a call, and OpenTelemetry's for it.
    private const string InvocationHeader = "x-ms-invocation-id", InvocationTag = "faas.invocation_id";
    private const int LongestInvocation = 128;

    public async Task InvokeAsync(HttpContext context)
    {
        RequestIdentity.Assign(context);
        RequestPath.Normalise(context.Request);
        if (options.IsBehindHost && context.Request.Headers[InvocationHeader] is [{ Length: > 0 and <= LongestInvocation } invocation])
            Activity.Current?.SetTag(InvocationTag, invocation);
        try
        {
            if (!await pages.AdmitAsync(context)) return;
            if (!IsOpen(context.Request.Path) && !await IsAdmittedAsync(context)) return;
            if (ContentCoding.Decode(context) is { } undecodable)
            {
                await ErrorAnswers.WriteAsync(context, undecodable);
                return;
            }

            await next(context);
            if (!context.Response.HasStarted && FromRouting(context) is { } error) await ErrorAnswers.WriteAsync(context, error);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone: there is nobody to answer.
        }
        catch (UndecodableBodyException fault) when (!context.Response.HasStarted)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.Invalid(fault.Message, "Content-Encoding", "invalid_content_encoding"));
        }
        catch (BadHttpRequestException fault) when (!context.Response.HasStarted)
        {
            await ErrorAnswers.WriteAsync(context,
                ApiError.WithStatus(fault.StatusCode, "The HTTP request is malformed or came too slowly.", "bad_request"));
        }
        catch (TransportException fault) when (!context.Response.HasStarted)
        {
            LogUnreachable(fault.Message, context.TraceIdentifier);
            await ErrorAnswers.WriteAsync(context, ApiError.QueueUnreachable);
        }
        catch (Exception fault) when (!context.Response.HasStarted)
        {
            LogFailure(fault, context.TraceIdentifier);
            await ErrorAnswers.WriteAsync(context, ApiError.Internal(context.TraceIdentifier));
        }
    }

    /// <summary>Whether the caller may come in; else it has been answered.</summary>
    private async ValueTask<bool> IsAdmittedAsync(HttpContext context)
    {
        (var caller, var refusal) = await authenticator.AdmitAsync(context);
        // The process's own warm-up calls run the same check, so that it is warm for the first caller; they pass whatever it says.
        if (IsOwn(context)) (caller, refusal) = (Caller.Anyone, null);
        // Only POST is counted: reading costs little, and fetching an answer must not use up what the next request needs.
        if (caller is not null && HttpMethods.IsPost(context.Request.Method)) refusal = rates.TryEnter(caller, context.Response.Headers);
        if (refusal is null)
        {
            RequestIdentity.SetCaller(context, caller!);
            return true;
        }

        if (refusal.Status == StatusCodes.Status401Unauthorized)
            context.Response.Headers.WWWAuthenticate = refusal.Code == ApiError.InvalidTokenCode ? "Bearer error=\"invalid_token\"" : "Bearer";
        await ErrorAnswers.WriteAsync(context, refusal);
        return false;
    }

    /// <summary>Whether it is one of this process's own warm-up calls, which metrics leave out.</summary>
    private bool IsOwn(HttpContext context)
    {
        if (warmup.Of(context.Request) is null) return false;
        if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics) metrics.MetricsDisabled = true;
        return true;
    }

    // Probes carry no keys, and what they learn is no secret.
    private static bool IsOpen(PathString path) =>
        path.StartsWithSegments("/health", StringComparison.Ordinal) || path.StartsWithSegments("/v2/health", StringComparison.Ordinal);

    /// <summary>What routing found nothing for; null where an endpoint has answered. OPTIONS asks what there is (RFC 9110, section 9.3.7), and is
    /// told in <c>Allow</c>.</summary>
    private static ApiError? FromRouting(HttpContext context)
    {
        switch (context.Response.StatusCode)
        {
            case StatusCodes.Status404NotFound:
                return ApiError.WithStatus(StatusCodes.Status404NotFound, $"There is nothing at {Target(context)}.", "not_found");
            case StatusCodes.Status405MethodNotAllowed when HttpMethods.IsOptions(context.Request.Method):
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return null;
            case StatusCodes.Status405MethodNotAllowed:
                return ApiError.WithStatus(
                    StatusCodes.Status405MethodNotAllowed, $"{Target(context)} is not allowed; use {context.Response.Headers.Allow}.",
                    "method_not_allowed");
            default:
                return null;
        }
    }

    private static string Target(HttpContext context) => Truncated.Name($"{context.Request.Method} {context.Request.Path}");

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed")]
    private partial void LogFailure(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} could not be served: {Reason}")]
    private partial void LogUnreachable(string reason, string requestId);
}
