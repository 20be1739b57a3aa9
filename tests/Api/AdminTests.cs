using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Auth;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Tests.Auth;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>/manage: the operator's view of the queues.</summary>
public sealed class AdminTests
{
    [Fact]
    public async Task Operators_see_the_queues_and_put_dead_letters_back()
    {
        await using var server = await TestServer.StartGatewayAsync(new ServeOptions { Keys = Source() });
        foreach (var body in (string[])[TestServer.Chat(), TestServer.Chat()]) await EnqueueAsync(server, body);
        JsonElement[] queues = [.. (await GetAsync(server, "/manage/queues")).GetProperty("queues").EnumerateArray()];
        Assert.Equal([("interactive", 2), ("bulk", 0)],
            queues.Select(one => (one.GetProperty("class").GetString(), one.GetProperty("waiting").GetInt32())));

        var message = Assert.Single((await GetAsync(server, "/manage/queues/interactive/messages?most=1")).GetProperty("waiting").EnumerateArray());
        Assert.Equal("r1-test", message.GetProperty("model").GetString());
        var queue = server.Queue.Transport.Queue;
        var lease = Assert.Single(await queue.LeaseAsync(
            WorkClass.Interactive, [new RequestRoute("r1-test")], 1, TimeSpan.Zero, CancellationToken.None));
        Assert.True(await lease.DeadLetterAsync("the disk is full", CancellationToken.None));
        var letter = Assert.Single((await GetAsync(server, "/manage/queues/interactive/dead-letters")).GetProperty("dead_letters").EnumerateArray());
        Assert.Equal("the disk is full", letter.GetProperty("reason").GetString());

        var moved = Assert.Single(
            (await JsonAsync(await PostAsync(server, "/manage/queues/interactive/redrive", """{"most":10}"""))).GetProperty("redriven")
            .EnumerateArray());
        Assert.Equal(("interactive", 1), (moved.GetProperty("class").GetString(), moved.GetProperty("count").GetInt32()));
        Assert.Equal(0, (await queue.StatisticsAsync(WorkClass.Interactive, CancellationToken.None)).DeadLetters);

        JsonElement[] keys = [.. (await GetAsync(server, "/manage/keys")).GetProperty("keys").EnumerateArray()];
        Assert.Equal(["app", "ops"], keys.Select(key => key.GetProperty("name").GetString()));
        Assert.DoesNotContain(keys, key => key.TryGetProperty("sha256", out _));
    }

    [Theory]
    [InlineData("""{"most":0}""", 400, "most")]
    [InlineData("""{"most":"all"}""", 400, "most")]
    [InlineData("{}", 400, "most")]
    [InlineData("""{"most":1,"class":"bulk"}""", 400, "class")]
    [InlineData("nonsense", 400, null)]
    public async Task A_wrong_redrive_is_told_what_is_wrong(string body, int status, string? param)
    {
        await using var server = await TestServer.StartGatewayAsync(new ServeOptions { Keys = Source() });
        var response = await PostAsync(server, "/manage/queues/bulk/redrive", body);
        Assert.Equal((status, param), ((int)response.StatusCode, (await JsonAsync(response)).GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task Wrong_addresses_and_forms_are_refused()
    {
        await using var server = await TestServer.StartGatewayAsync(new ServeOptions { Keys = Source() });
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.SendAsync(With("/manage/queues/all/messages"))).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await server.Client.SendAsync(With("/manage/queues/bulk/messages?most=0"))).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await server.Client.SendAsync(With("/manage/queues/bulk/redrive"))).StatusCode);
        var form = With("/manage/queues/bulk/redrive");
        (form.Method, form.Content) = (HttpMethod.Post, new StringContent("""{"most":1}""", Encoding.UTF8, "text/plain"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await server.Client.SendAsync(form)).StatusCode);
    }

    [Theory]
    [InlineData(false, HttpStatusCode.OK)]
    [InlineData(true, HttpStatusCode.Forbidden)]
    public async Task Without_keys_all_is_open_on_this_machine_only(bool isBehindHost, HttpStatusCode expected)
    {
        await using var server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = isBehindHost });
        foreach (var path in (string[])["/manage/queues", "/v1/models"])
        {
            var response = await server.Client.GetAsync(path);
            Assert.Equal(expected, response.StatusCode);
            if (isBehindHost) Assert.Equal("no_keys_configured", (await JsonAsync(response)).GetProperty("error").GetProperty("code").GetString());
        }

        foreach (var path in (string[])["/", "/health/live"]) Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync(path)).StatusCode);
    }

    private static FakeKeySource Source() =>
        new() { Keys = [KeyRingTests.Key("app", "one"), KeyRingTests.Key("ops", "two") with { Scopes = AccessScopes.Admin }] };

    private static async Task EnqueueAsync(TestServer server, string body)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = TestServer.Model, Prompt = new Prompt.Text(body) };
        await server.Queue.Transport.Queue.EnqueueAsync([new QueuedRequest { Request = request, Class = WorkClass.Interactive }],
            CancellationToken.None);
    }

    private static async Task<JsonElement> GetAsync(TestServer server, string path) => await JsonAsync(await server.Client.SendAsync(With(path)));

    private static Task<HttpResponseMessage> PostAsync(TestServer server, string path, string body)
    {
        var request = TestServer.Post(path, Encoding.UTF8.GetBytes(body));
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer two");
        return server.Client.SendAsync(request);
    }

    private static HttpRequestMessage With(string path)
    {
        HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer two");
        return request;
    }

    private static Task<JsonElement> JsonAsync(HttpResponseMessage response) => TestServer.JsonAsync(response);
}
