using System.Net;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

public sealed class AccessTests
{
    private static readonly ServeOptions WithKeys = new() { ApiKeys = ["first-key", "second-key"] };

    [Theory]
    [InlineData("Bearer first-key", 200)]
    [InlineData("bearer second-key", 200)]
    [InlineData("Bearer first-key-and-more", 401)]
    [InlineData("Bearer first-ke", 401)]
    [InlineData("Bearer ", 401)]
    [InlineData("Basic first-key", 401)]
    [InlineData("first-key", 401)]
    [InlineData(null, 401)]
    public async Task Only_a_known_key_opens_the_api(string? authorization, int status)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), WithKeys);
        foreach (var path in (string[])["/v1/models", "/", "/nowhere"])
        {
            HttpRequestMessage request = new(HttpMethod.Get, path);
            if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
            var response = await server.Client.SendAsync(request);
            Assert.Equal(status == 200 && path == "/nowhere" ? 404 : status, (int)response.StatusCode);
            if (status == 401)
                Assert.Equal("invalid_api_key", (await TestServer.JsonAsync(response)).GetProperty("error").GetProperty("code").GetString());
        }
    }

    [Fact]
    public async Task Health_is_open_and_no_key_is_shown_anywhere()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), WithKeys);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Client.GetAsync("/healthy")).StatusCode);
        Assert.DoesNotContain("first-key", server.Output.ToString() + server.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://127.0.0.1:7071", false, true)]
    [InlineData("http://localhost:7071", false, true)]
    [InlineData("http://[::1]:7071", false, true)]
    [InlineData("http://127.8.9.10:0", false, true)]
    [InlineData("http://0.0.0.0:7071", false, false)]
    [InlineData("http://[::]:7071", false, false)]
    [InlineData("http://*:7071", false, false)]
    [InlineData("http://+:80", false, false)]
    [InlineData("http://myhost:80", false, false)]
    [InlineData("http://localhost.example.org:80", false, false)]
    [InlineData("http://127.0.0.1:7071;http://10.0.0.1:80", false, false)]
    [InlineData("http://0.0.0.0:7071", true, true)]
    [InlineData("https://127.0.0.1:7071", true, false)]
    [InlineData("7071", true, false)]
    [InlineData(" ; ", true, false)]
    public void Only_loopback_may_be_listened_on_without_a_key(string urls, bool hasKey, bool allowed) =>
        Assert.Equal(allowed, ListenAddresses.Refusal(ListenAddresses.Split(urls), hasKey) is null);
}
