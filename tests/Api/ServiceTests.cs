using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed class ServiceTests
{
    [Fact]
    public async Task Models_are_listed_and_found_by_id()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var list = await GetAsync(server, "/v1/models", HttpStatusCode.OK);
        Assert.Equal(TestServer.Model, list.GetProperty("data")[0].GetProperty("id").GetString());
        var one = await GetAsync(server, $"/v1/models/{TestServer.Model}", HttpStatusCode.OK);
        Assert.Equal(2048, one.GetProperty("context_length").GetInt32());
        JsonElement[] variants = [.. one.GetProperty("variants").EnumerateArray()];
        Assert.Equal(["fp32", "int8"], variants.Select(variant => variant.GetProperty("precision").GetString()));
        Assert.Equal([true, false], variants.Select(variant => variant.GetProperty("loaded").GetBoolean()));
        Assert.Equal([true, false], variants.Select(variant => variant.TryGetProperty("shares_prefixes", out _)));
        Assert.Equal(JsonValueKind.Null, variants[0].GetProperty("evaluation").ValueKind);
        var measured = variants[1].GetProperty("evaluation");
        Assert.Equal((0.25, 2000.0, true),
            (measured.GetProperty("accuracy_drop").GetDouble(), measured.GetProperty("tokens_per_second").GetProperty("8").GetDouble(),
            measured.GetProperty("within_tolerance").GetBoolean()));
        var missing = await GetAsync(server, "/v1/models/deepseek-ai/none", HttpStatusCode.NotFound);
        Assert.Equal("model_not_found", missing.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task Health_tells_what_runs_and_waits()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var model = Assert.Single((await GetAsync(server, "/health/ready", HttpStatusCode.OK)).GetProperty("models").EnumerateArray());
        Assert.Equal("fp32", model.GetProperty("precision").GetString());
        Assert.Equal((1, 2), (model.GetProperty("running").GetInt32(), model.GetProperty("waiting").GetInt32()));
        await GetAsync(server, "/health/live", HttpStatusCode.OK);
        Assert.Equal("r1-serverless", (await GetAsync(server, "/", HttpStatusCode.OK)).GetProperty("service").GetString());
    }

    [Fact]
    public async Task A_gateway_stays_ready_while_the_store_is_away_for_a_moment()
    {
        await using var gateway = await TestServer.StartApartAsync(FakeInference.Thoughtful());
        Assert.Equal(1, (await GetAsync(gateway, "/health/ready", HttpStatusCode.OK)).GetProperty("workers").GetInt32());
        var workers = Path.Combine(new TransportOptions { DataFolder = gateway.DataFolder }.QueueFolder, "store", "workers");
        Directory.Move(workers, $"{workers}-away");
        // A link that leads to itself can't be listed.
        File.CreateSymbolicLink(workers, Path.GetFileName(workers));
        await Eventually.HoldsAsync(async () => await IsAwayAsync(), () => "the registrations are old");
        var health = await GetAsync(gateway, "/health/ready", HttpStatusCode.OK);
        Assert.Equal((1, 1), (health.GetProperty("workers").GetInt32(), health.GetProperty("models").GetArrayLength()));
        await GetAsync(gateway, "/health/live", HttpStatusCode.OK);
        File.Delete(workers);
        Directory.Move($"{workers}-away", workers);

        async ValueTask<bool> IsAwayAsync()
        {
            try
            {
                await gateway.Queue.Workers.ListAsync(CancellationToken.None);
                return false;
            }
            catch (TransportException)
            {
                return true;
            }
        }
    }

    [Theory]
    [InlineData("GET", "/v1/chat/completions", 405)]
    [InlineData("DELETE", "/v1/completions", 405)]
    [InlineData("POST", "/v1/models", 405)]
    [InlineData("POST", "/health/ready", 405)]
    [InlineData("GET", "/v1/moderations", 404)]
    [InlineData("POST", "/v3/chat/completions", 404)]
    [InlineData("GET", "/favicon.ico", 404)]
    public async Task A_wrong_method_or_route_is_an_error_in_the_same_shape(string method, string path, int status)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var response = await server.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Equal(status, (int)response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.NotEqual("", error.GetProperty("message").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        if (status == 405) Assert.NotEmpty(response.Content.Headers.Allow);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_over_the_limit_is_413_and_the_connection_lives_on(bool chunked)
    {
        ServeOptions options = new() { MaxBodyBytes = 1 << 20 };
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), options);
        var body = Encoding.UTF8.GetBytes(TestServer.Chat($",\"user\":\"{new string('x', 3 << 20)}\""));
        var request = TestServer.Post("/v1/chat/completions", body);
        request.Headers.TransferEncodingChunked = chunked;
        var response = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("request_too_large", (await TestServer.JsonAsync(response)).GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(HttpStatusCode.OK, (await server.PostAsync("/v1/chat/completions", TestServer.Chat())).StatusCode);
    }

    [Fact]
    public async Task A_body_that_is_not_called_json_is_415()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var response = await server.Client.PostAsync("/v1/chat/completions", new StringContent(TestServer.Chat(), Encoding.UTF8, "text/plain"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Theory]
    [InlineData("my-id-1", true)]
    [InlineData("has space", false)]
    [InlineData("", false)]
    public async Task A_sane_request_id_is_echoed_and_another_replaced(string offered, bool echoed)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        foreach (var id in (string[])[offered, echoed ? new string('x', 128) : new string('x', 129)])
        {
            HttpRequestMessage request = new(HttpMethod.Get, "/v1/models");
            request.Headers.TryAddWithoutValidation("x-request-id", id);
            var response = await server.Client.SendAsync(request);
            Assert.Equal(echoed, response.Headers.GetValues("x-request-id").Single() == id);
        }
    }

    private static async Task<JsonElement> GetAsync(TestServer server, string path, HttpStatusCode status)
    {
        var response = await server.Client.GetAsync(path);
        Assert.Equal(status, response.StatusCode);
        return await TestServer.JsonAsync(response);
    }
}
