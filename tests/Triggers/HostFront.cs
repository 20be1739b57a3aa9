using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing.Template;

namespace R1Serverless.Tests.Triggers;

/// <summary>The host's way from outside to its handler: what no HTTP function's route and methods take ends here with an empty 404, the rest goes on as it is, with the host's headers.</summary>
internal sealed class HostFront(IReadOnlyList<FunctionFile> functions, HttpMessageHandler handler) : DelegatingHandler(handler)
{
    private readonly (FunctionFile Function, TemplateMatcher Route)[] _routes =
        [.. functions.Where(one => one.IsHttp).Select(one => (one, new TemplateMatcher(TemplateParser.Parse(one.Route), [])))];

    /// <summary>The function that takes it; null where none does.</summary>
    public FunctionFile? Find(HttpMethod method, string path) =>
        _routes.FirstOrDefault(one => one.Function.Methods.Contains(method.Method) && one.Route.TryMatch(PathString.FromUriComponent(path), [])).Function;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (Find(request.Method, request.RequestUri!.AbsolutePath) is null) return Task.FromResult(new HttpResponseMessage(HttpStatusCode.NotFound) { RequestMessage = request });
        request.Headers.TryAddWithoutValidation("x-ms-invocation-id", Guid.NewGuid().ToString());
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", "203.0.113.7");
        request.Headers.TryAddWithoutValidation("X-Forwarded-Host", "example.org");
        request.Headers.TryAddWithoutValidation("X-Forwarded-Proto", "https");
        return base.SendAsync(request, cancellationToken);
    }
}
