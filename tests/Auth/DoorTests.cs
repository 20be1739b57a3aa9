using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Auth;

/// <summary>Who comes in, over HTTP.</summary>
public sealed class DoorTests
{
    [Fact]
    public async Task Named_keys_open_what_they_are_for()
    {
        FakeKeySource source = new() { Keys = [KeyRingTests.Key("app", "one"), KeyRingTests.Key("ops", "two") with { Scopes = AccessScopes.Admin }] };
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { Keys = source, ApiKeys = ["plain"] });
        (string? Key, string Path, int Status)[] expected =
        [
            (null, "/v1/models", 401), ("nobody's", "/v1/models", 401), ("one", "/v1/models", 200), ("plain", "/v1/models", 200),
                ("two", "/v1/models", 403),
            ("two", "/nowhere", 403), ("two", "/", 200), ("one", "/", 200), (null, "/", 401), ("one", "/manage/nothing", 403),
                ("plain", "/Manage", 403), ("one", "/%6danage/nothing", 403),
            (null, "/metrics", 401), ("nobody's", "/metrics", 401), ("one", "/metrics", 404), ("two", "/metrics", 404), ("two", "/metrics/more", 403),
            ("two", "/manage/nothing", 404), (null, "/manage/nothing", 401), (null, "/health/live", 200),
        ];
        foreach (var (key, path, status) in expected)
        {
            foreach (var header in (string[])["Authorization", "api-key"])
            {
                HttpRequestMessage request = new(HttpMethod.Get, path);
                if (key is not null) request.Headers.TryAddWithoutValidation(header, header == "api-key" ? key : $"Bearer {key}");
                var response = await server.Client.SendAsync(request);
                Assert.Equal((key, path, status), (key, path, (int)response.StatusCode));
                if (status < 400) continue;
                var error = (await TestServer.JsonAsync(response)).GetProperty("error");
                Assert.Equal(status switch { 401 => "invalid_api_key", 403 => "insufficient_permissions", _ => "not_found" },
                    error.GetProperty("code").GetString());
                Assert.Equal(status == 401, response.Headers.WwwAuthenticate.Count > 0);
            }
        }
    }

    [Theory]
    [InlineData("?api_key=one")]
    [InlineData("?a=b&API-Key=one")]
    [InlineData("?code=one")]
    [InlineData("?access_token=one")]
    public async Task A_key_in_the_address_is_refused_even_beside_a_good_header(string query)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { ApiKeys = ["one"] });
        HttpRequestMessage request = new(HttpMethod.Get, "/v1/models" + query);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer one");
        var response = await server.Client.SendAsync(request);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal((400, "key_in_address"), ((int)response.StatusCode, error.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task What_a_key_owns_stays_its_own_when_it_is_rotated()
    {
        WatchedTime time = new();
        IReadOnlyList<ApiKey> keys = [KeyRingTests.Key("app", "one")];
        FakeKeySource source = new() { Keys = keys };
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference, new ServeOptions { Keys = source }, time);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server, "one"));

        source.Keys = KeyChanges.Rotate(keys, "app", KeySecret.Hash("two"), TimeSpan.FromHours(1), null, time.GetUtcNow());
        await LookAsync(server);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server, "two"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server, "one"));
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(server, "one"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server, "two"));
        Assert.Equal([keys[0].Id], inference.Requests.Select(request => request.Owner).Distinct());
    }

    [Fact]
    public async Task Before_the_first_keys_have_come_a_request_waits_and_then_is_told_so()
    {
        WatchedTime time = new();
        FakeKeySource source = new() { Fault = "the vault is away" };
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { Keys = source }, time);
        var waiting = server.Client.SendAsync(With("one"));
        await time.UntilAwaitedAsync(ApiAuthenticator.LongestLoading);
        time.Advance(ApiAuthenticator.LongestLoading);
        var response = await waiting;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);

        (source.Fault, source.Keys) = (null, [KeyRingTests.Key("app", "one")]);
        var second = server.Client.SendAsync(With("one"));
        await time.UntilAwaitedAsync(ApiAuthenticator.LongestLoading);
        await LookAsync(server);
        Assert.Equal(HttpStatusCode.OK, (await second.WaitAsync(TimeSpan.FromMinutes(1))).StatusCode);
    }

    /// <summary>As the server does by itself after some time.</summary>
    private static ValueTask LookAsync(TestServer server) =>
        server.Services.GetServices<IHostedService>().OfType<KeyRefresh>().Single().LookAsync(CancellationToken.None);

    private static HttpRequestMessage With(string key)
    {
        HttpRequestMessage request = new(HttpMethod.Get, "/v1/models");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        return request;
    }

    private static async Task<HttpStatusCode> AskAsync(TestServer server, string key)
    {
        var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat()));
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        return (await server.Client.SendAsync(request)).StatusCode;
    }
}
