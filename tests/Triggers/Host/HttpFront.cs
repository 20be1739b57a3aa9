using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing.Template;
using R1Serverless.Tests.Triggers.Host.Rpc;
using Yarp.ReverseProxy.Forwarder;

namespace R1Serverless.Tests.Triggers.Host;

/// <summary>
/// The host's way from outside to its worker: finds the function whose route and methods take a request, invokes it over the stream, and hands the
/// request on to the worker's own address meanwhile, by the same forwarder as the host's and with its limits. What no function takes ends here with
/// an empty 404.
/// </summary>
internal sealed class HttpFront(WorkerConnection worker, IHttpForwarder forwarder) : IDisposable
{
    private const string InvocationHeader = "x-ms-invocation-id";

    private static readonly ForwarderRequestConfig Limits = new() { ActivityTimeout = TimeSpan.FromSeconds(240) };

    private readonly HttpMessageInvoker _client =
        new(new Retries(
        new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseCookies = false, UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None
        }));
    private (FunctionDefinition Function, TemplateMatcher Route)[]? _routes;

    /// <summary>The first function that takes it, in the order of names; null where none does. Addresses that begin with admin or runtime are the
    /// host's own.</summary>
    private async ValueTask<FunctionDefinition?> FindAsync(string method, PathString path)
    {
        _routes ??= [.. (await worker.Loaded).Where(one => one.IsHttp)
            .Select(one => (one, new TemplateMatcher(TemplateParser.Parse(one.Route), [])))];
        if (path.StartsWithSegments("/admin", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/runtime", StringComparison.OrdinalIgnoreCase)) return null;
        if (path.Value!.StartsWith("//", StringComparison.Ordinal)) return null;
        return _routes.FirstOrDefault(
            one => (one.Function.Methods.Count == 0 || one.Function.Methods.Contains(method)) && one.Route.TryMatch(path, [])).Function;
    }

    public async Task AnswerAsync(HttpContext context)
    {
        if (await FindAsync(context.Request.Method, context.Request.Path) is not { } function)
        {
            context.Response.StatusCode = context.Request.Path.StartsWithSegments("/admin", StringComparison.OrdinalIgnoreCase)
                ? StatusCodes.Status401Unauthorized : StatusCodes.Status404NotFound;
            return;
        }

        var invocation = Guid.NewGuid().ToString();
        // As the host does it: what a client sends under this name stays.
        context.Request.Headers.TryAdd(InvocationHeader, invocation);
        var forwarding = forwarder.SendAsync(context, worker.HttpUri!, _client, Limits, Forward.Instance, context.RequestAborted);
        TypedData input =
            new()
            {
                Http =
            new RpcHttp
            {
                Method = context.Request.Method,
                Url = $"{context.Request.Scheme}://{context.Request.Host}{context.Request.Path}{context.Request.QueryString}"
            }
            };
        var invoked = worker.InvokeAsync(function, invocation, input, context.Request.Headers.TraceParent);
        try
        {
            var response = await invoked;
            var isFine = await forwarding == ForwarderError.None && response.Result.Status == StatusResult.Types.Status.Success;
            // The host says no more than this.
            if (!isFine && !context.Response.HasStarted) await EmptyAsync(context);
        }
        catch (IOException)
        {
            await forwarding;
            if (!context.Response.HasStarted) await EmptyAsync(context);
            else context.Abort();
        }
    }

    public void Dispose() => _client.Dispose();

    private static Task EmptyAsync(HttpContext context)
    {
        context.Response.Clear();
        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        return context.Response.CompleteAsync();
    }

    /// <summary>As the host does it for a worker whose port is not open yet.</summary>
    private sealed class Retries(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private const int Most = 10;

        private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50), Longest = TimeSpan.FromMilliseconds(250);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var pause = First;
            for (var left = Most; ; left--)
            {
                try
                {
                    return await base.SendAsync(request, cancellationToken);
                }
                catch (HttpRequestException fault) when (fault.HttpRequestError == HttpRequestError.ConnectionError && left > 0)
                {
                    await Task.Delay(pause, cancellationToken);
                    pause = pause * 2 < Longest ? pause * 2 : Longest;
                }
            }
        }
    }

    /// <summary>Adds where a request came from, which the worker reads.</summary>
    private sealed class Forward : HttpTransformer
    {
        public static readonly Forward Instance = new();

        public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix,
            CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Host", httpContext.Request.Host.Value);
            proxyRequest.Headers.TryAddWithoutValidation("X-Forwarded-Proto", httpContext.Request.Scheme);
        }
    }
}
