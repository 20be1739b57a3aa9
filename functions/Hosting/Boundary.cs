using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using R1Serverless.Access;
using R1Serverless.Endpoints;
using R1Serverless.OpenAi;
using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>The outermost layer: a request id on every answer, the key check, and OpenAI's error shape for whatever goes wrong further in.</summary>
internal sealed partial class Boundary(RequestDelegate next, ServeOptions options, Doorkeeper doorkeeper, RateLimits rates, PrewarmPass prewarm, ILogger<Boundary> log)
{
    // The Functions host's name for a call, and OpenTelemetry's for it.
    private const string InvocationHeader = "x-ms-invocation-id", InvocationTag = "faas.invocation_id";
    private const int LongestInvocation = 128;

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    public async Task InvokeAsync(HttpContext context)
    {
        RequestIdentity.Assign(context);
        if (options.IsBehindHost && context.Request.Headers[InvocationHeader] is [{ Length: > 0 and <= LongestInvocation } invocation]) Activity.Current?.SetTag(InvocationTag, invocation);
        try
        {
            if (!IsOpen(context.Request.Path) && !await IsAdmittedAsync(context)) return;

            await next(context);
            if (!context.Response.HasStarted && FromRouting(context) is { } error) await ErrorAnswers.WriteAsync(context, error);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone: there is nobody to answer.
        }
        catch (BadHttpRequestException fault) when (!context.Response.HasStarted)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.WithStatus(fault.StatusCode, "The HTTP request is malformed or came too slowly.", "bad_request"));
        }
        catch (TransportException fault) when (!context.Response.HasStarted)
        {
            LogUnreachable(fault.Message, context.TraceIdentifier);
            await ErrorAnswers.WriteAsync(context, ApiError.Unavailable("The queue can't be reached right now.", "queue_unreachable", RetryLater));
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
        (Caller? caller, ApiError? refusal) = await doorkeeper.AdmitAsync(context);
        // What this process asks itself goes by the same door, so that the first caller finds it warm, and comes in whatever it says.
        if (IsOwn(context)) (caller, refusal) = (Caller.Anyone, null);
        // Reading costs little, and coming back for an answer must not use up what the next question needs.
        if (caller is not null && HttpMethods.IsPost(context.Request.Method)) refusal = rates.TryEnter(caller, context.Response.Headers);
        if (refusal is null)
        {
            RequestIdentity.SetCaller(context, caller!);
            return true;
        }

        if (refusal.Status == StatusCodes.Status401Unauthorized) context.Response.Headers.WWWAuthenticate = refusal.Code == ApiError.InvalidTokenCode ? "Bearer error=\"invalid_token\"" : "Bearer";
        await ErrorAnswers.WriteAsync(context, refusal);
        return false;
    }

    /// <summary>Whether this process asks itself, before others may: then nobody counts it.</summary>
    private bool IsOwn(HttpContext context)
    {
        if (prewarm.Of(context.Request) is null) return false;
        if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics) metrics.MetricsDisabled = true;
        return true;
    }

    // Probes carry no keys, and what they learn is no secret.
    private static bool IsOpen(PathString path) => path.StartsWithSegments("/health", StringComparison.Ordinal);

    /// <summary>What routing found nothing for; null where an endpoint has answered. OPTIONS asks what there is (RFC 9110, section 9.3.7), and is told in <c>Allow</c>.</summary>
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
                    StatusCodes.Status405MethodNotAllowed, $"{Target(context)} is not allowed; use {context.Response.Headers.Allow}.", "method_not_allowed");
            default:
                return null;
        }
    }

    private static string Target(HttpContext context) => Shortened.Name($"{context.Request.Method} {context.Request.Path}");

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed")]
    private partial void LogFailure(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} could not be served: {Reason}")]
    private partial void LogUnreachable(string reason, string requestId);
}
