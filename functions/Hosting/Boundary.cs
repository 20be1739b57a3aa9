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
    // OpenTelemetry's.
    private const string InvocationTag = "faas.invocation_id";

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    public async Task InvokeAsync(HttpContext context)
    {
        RequestIdentity.Assign(context);
        if (options.IsBehindHost && HostInvocation.IdOf(context.Request) is { } invocation) Activity.Current?.SetTag(InvocationTag, invocation);
        try
        {
            bool isInvocation = context.GetEndpoint()?.Metadata.GetMetadata<HostInvocation>() is not null;
            if (isInvocation && !HostInvocation.IsFromHost(context.Request))
            {
                await ErrorAnswers.WriteAsync(context, NotFound(context));
                return;
            }

            if (!isInvocation && !IsOpen(context.Request.Path) && !await IsAdmittedAsync(context)) return;

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

    private static ApiError? FromRouting(HttpContext context)
    {
        return context.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound => NotFound(context),
            StatusCodes.Status405MethodNotAllowed => ApiError.WithStatus(
                StatusCodes.Status405MethodNotAllowed, $"{Target(context)} is not allowed; use {context.Response.Headers.Allow}.", "method_not_allowed"),
            _ => null,
        };
    }

    private static ApiError NotFound(HttpContext context) => ApiError.WithStatus(StatusCodes.Status404NotFound, $"There is nothing at {Target(context)}.", "not_found");

    private static string Target(HttpContext context) => Shortened.Name($"{context.Request.Method} {context.Request.Path}");

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed")]
    private partial void LogFailure(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} could not be served: {Reason}")]
    private partial void LogUnreachable(string reason, string requestId);
}
