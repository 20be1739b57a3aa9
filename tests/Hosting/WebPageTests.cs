using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Commands;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

/// <summary>What pages in a browser of this machine may do.</summary>
public sealed class WebPageTests
{
    private const string Page = "https://app.example.com";

    private static readonly ServeOptions Keyed = new() { ApiKeys = ["one"] };

    [Theory]
    [InlineData("localhost", 200)]
    [InlineData("LOCALHOST:1", 200)]
    [InlineData("localhost.:7071", 200)]
    [InlineData("127.0.0.1", 200)]
    [InlineData("127.8.9.10:80", 200)]
    [InlineData("[::1]:7071", 200)]
    [InlineData("evil.example", 403)]
    [InlineData("evil.example:7071", 403)]
    [InlineData("localhost.evil.example", 403)]
    [InlineData("127.0.0.1.evil.example", 403)]
    [InlineData("0.0.0.0:7071", 403)]
    [InlineData("192.168.0.1", 403)]
    public async Task Without_keys_only_the_names_of_loopback_are_answered_to(string host, int status)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var response = await server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { Host = host } });
        Assert.Equal(status, (int)response.StatusCode);
        if (status == 403) await RefusedAsync(response, "host_not_allowed");
    }

    [Fact]
    public async Task No_route_answers_to_a_foreign_name_or_page_without_keys()
    {
        await using var server =
            await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { Monitoring = new MonitoringOptions { HasPage = true } });
        foreach (var (method, path) in Routes(server).Append(("GET", "/nowhere")).Append(("OPTIONS", "/v1/models")))
        {
            var rebound = await server.Client.SendAsync(new HttpRequestMessage(new(method), path) { Headers = { Host = "evil.example" } });
            await RefusedAsync(rebound, "host_not_allowed", method);
            foreach (var origin in (string[])["https://evil.example", "null", "http://localhost:1"])
                await RefusedAsync(await server.Client.SendAsync(From(origin, new(method), path)), "origin_not_allowed", method);
        }
    }

    [Fact]
    public async Task A_page_of_the_server_s_own_address_may_call()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var own = server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.SendAsync(From(own, HttpMethod.Get, "/v1/models"))).StatusCode);
    }

    [Fact]
    public async Task With_keys_names_and_origins_are_the_client_s_own_business()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), Keyed);
        var request = From(Page, HttpMethod.Get, "/v1/models");
        request.Headers.Host = "models.example.com";
        request.Headers.Authorization = new("Bearer", "one");
        var response = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_that_is_allowed_asks_first_on_every_route_without_a_key(bool keyed)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), (keyed ? Keyed : new()) with { CorsOrigins = [Page] });
        foreach (var (method, path) in Routes(server).Append(("GET", "/nowhere")))
        {
            var request = From(Page, HttpMethod.Options, path);
            request.Headers.Add("Access-Control-Request-Method", method);
            request.Headers.Add("Access-Control-Request-Headers", "authorization,content-type,x-stainless-os");
            var response = await server.Client.SendAsync(request);
            Assert.Equal((path, HttpStatusCode.NoContent), (path, response.StatusCode));
            Assert.Equal(Page, Header(response, "Access-Control-Allow-Origin"));
            Assert.Contains(method, Header(response, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
            Assert.Equal("authorization,content-type,x-stainless-os", Header(response, "Access-Control-Allow-Headers"));
        }
    }

    [Fact]
    public async Task A_page_that_is_allowed_may_read_answers_and_refusals()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), Keyed with { CorsOrigins = [Page] });
        foreach (var key in (string?[])["one", null])
        {
            var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat()));
            request.Headers.Add("Origin", Page);
            if (key is not null) request.Headers.Authorization = new("Bearer", key);
            var response = await server.Client.SendAsync(request);
            Assert.Equal(key is null ? HttpStatusCode.Unauthorized : HttpStatusCode.OK, response.StatusCode);
            Assert.Equal((Page, "Origin"), (Header(response, "Access-Control-Allow-Origin"), Header(response, "Vary")));
        }

        var other = From("https://evil.example", HttpMethod.Options, "/v1/models");
        other.Headers.Add("Access-Control-Request-Method", "GET");
        var refused = await server.Client.SendAsync(other);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.False(refused.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("https://app.example.com", "https://app.example.com")]
    [InlineData("HTTPS://App.Example.com:443/", "https://app.example.com")]
    [InlineData("http://localhost:3000", "http://localhost:3000")]
    [InlineData("chrome-extension://abcdef", "chrome-extension://abcdef")]
    [InlineData("https://app.example.com/path", null)]
    [InlineData("https://user@app.example.com", null)]
    [InlineData("app.example.com", null)]
    [InlineData("null", null)]
    [InlineData("", null)]
    public void An_origin_is_scheme_host_and_port(string text, string? origin)
    {
        Assert.Equal(origin, WebOrigin.Parse(text));
        Assert.Equal(origin is null, CorsOption.Refusal(new ServeOptions { CorsOrigins = [text] }) is not null);
    }

    [Fact]
    public void Every_origin_may_be_allowed_with_keys_only()
    {
        ServeOptions any = new() { CorsOrigins = [WebOrigin.Any] };
        Assert.NotNull(CorsOption.Refusal(any));
        Assert.Null(CorsOption.Refusal(any with { ApiKeys = ["one"] }));
    }

    private static IEnumerable<(string Method, string Path)> Routes(TestServer server) =>
        from route in server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        from method in route.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods
        select (method, "/" + string.Join('/',
            route.RoutePattern.RawText!.TrimStart('/').Split('/').Select(part => part.StartsWith('{') ? "x" : part)));

    private static HttpRequestMessage From(string origin, HttpMethod method, string path) => new(method, path) { Headers = { { "Origin", origin } } };

    private static string Header(HttpResponseMessage response, string name) => response.Headers.GetValues(name).Single();

    private static async Task RefusedAsync(HttpResponseMessage response, string code, string method = "GET")
    {
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        if (method == "HEAD") return;
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        // The Open Inference Protocol's has no code.
        if (error.ValueKind == JsonValueKind.String) return;
        Assert.Equal((code, "permission_error"), (error.GetProperty("code").GetString(), error.GetProperty("type").GetString()));
    }
}
