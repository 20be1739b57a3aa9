using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Forms of one and the same request that clients send: methods, addresses, codings.</summary>
public sealed class RequestFormTests
{
    private const string Path = "/v1/chat/completions";

    [Fact]
    public async Task Whatever_can_be_got_can_be_asked_for_without_its_body()
    {
        await using var server =
            await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { Monitoring = new MonitoringOptions { HasPage = true } });
        await Eventually.HoldsAsync(() => server.Services.GetRequiredService<QueueConnection>().Queue is not null, () => "the queue");
        var routes = server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(route => route.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Contains("GET"))
            .Select(route => "/" + string.Join('/',
                route.RoutePattern.RawText!.TrimStart('/').Split('/').Select(part => part.StartsWith('{') ? TestServer.Model : part)));
        Assert.NotEmpty(routes);
        foreach (var path in routes)
        {
            var got = await server.Client.GetAsync(path);
            var asked = await server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
            Assert.Equal((path, got.StatusCode), (path, asked.StatusCode));
            Assert.Equal(got.Content.Headers.ContentType, asked.Content.Headers.ContentType);
            Assert.Empty(await asked.Content.ReadAsByteArrayAsync());
        }
    }

    [Theory]
    [InlineData("/v1/models/", 200)]
    [InlineData("//v1/models", 200)]
    [InlineData("/v1//models", 200)]
    [InlineData("///v1//models//", 200)]
    [InlineData("/openai/v1/models", 200)]
    [InlineData("/v1//models/r1-test/", 200)]
    [InlineData("/health/live/", 200)]
    [InlineData("//", 200)]
    [InlineData("/v1//nothing/", 404)]
    [InlineData("/openai/v1", 404)]
    [InlineData("/openai//v1x/models", 404)]
    public async Task Doubled_and_trailing_slashes_find_the_route(string path, int status)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        Assert.Equal(status, (int)(await server.Client.GetAsync(Address(server, path))).StatusCode);
    }

    [Theory]
    [InlineData("//manage/queues")]
    [InlineData("/manage//queues/")]
    [InlineData("/v1/..//manage/queues")]
    [InlineData("///manage")]
    public async Task No_spelling_of_an_address_opens_what_a_key_is_not_for(string path)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { ApiKeys = ["one"] });
        HttpRequestMessage request = new(HttpMethod.Get, Address(server, path)) { Headers = { Authorization = new("Bearer", "one") } };
        Assert.Equal(HttpStatusCode.Forbidden, (await server.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("GZIP")]
    [InlineData("x-gzip")]
    [InlineData("br")]
    [InlineData("identity")]
    [InlineData("identity, gzip")]
    public async Task A_compressed_body_is_read_as_it_was(string coding)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var response = await SendAsync(server, Coded(coding, Encoding.UTF8.GetBytes(TestServer.Chat())), coding);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_compressed_body_is_held_to_the_limit_of_what_comes_out_of_it(string coding)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { MaxBodyBytes = 1 << 20 });
        var bomb = Coded(coding, new byte[64 << 20]);
        Assert.InRange(bomb.Length, 1, 1 << 19);
        await ErrorAsync(await SendAsync(server, bomb, coding), 413, "request_too_large");
        Assert.Equal(HttpStatusCode.OK, (await server.PostAsync(Path, TestServer.Chat())).StatusCode);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_body_that_is_not_what_its_coding_says_is_400(string coding)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var body = Encoding.UTF8.GetBytes(TestServer.Chat());
        var error = await ErrorAsync(await SendAsync(server, body, coding), 400, "invalid_content_encoding");
        Assert.Equal("Content-Encoding", error.GetProperty("param").GetString());
        // Cut off, what there is of it may still be decoded.
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(server, Coded(coding, body)[..20], coding)).StatusCode);
    }

    [Theory]
    [InlineData("deflate")]
    [InlineData("zstd")]
    [InlineData("gzip, br")]
    [InlineData("gzip, gzip")]
    public async Task Any_other_coding_is_415_and_says_which_there_are(string coding)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var response = await SendAsync(server, Encoding.UTF8.GetBytes(TestServer.Chat()), coding);
        Assert.Equal("gzip, br", response.Headers.GetValues("Accept-Encoding").Single());
        var error = await ErrorAsync(response, 415, "unsupported_content_encoding");
        Assert.Equal("Content-Encoding", error.GetProperty("param").GetString());
    }

    [Fact]
    public async Task An_upload_may_be_compressed_too()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        using MultipartFormDataContent form = [];
        form.Add(new StringContent("batch"), "purpose");
        form.Add(new ByteArrayContent("{}"u8.ToArray()), "file", "in.jsonl");
        using ByteArrayContent coded = new(Coded("gzip", await form.ReadAsByteArrayAsync()));
        coded.Headers.ContentType = form.Headers.ContentType;
        coded.Headers.ContentEncoding.Add("gzip");
        var file = await TestServer.JsonAsync(await server.Client.PostAsync("/v1/files", coded));
        Assert.Equal(2, file.GetProperty("bytes").GetInt32());
    }

    // A path that begins with two slashes would name a host in a relative address.
    private static Uri Address(TestServer server, string path) => new(
        server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority) + path,
        new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    private static Task<HttpResponseMessage> SendAsync(TestServer server, byte[] body, string coding)
    {
        var request = TestServer.Post(Path, body);
        request.Content!.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        return server.Client.SendAsync(request);
    }

    private static byte[] Coded(string coding, byte[] body)
    {
        using MemoryStream coded = new();
        using (Stream? coder = coding.ToLowerInvariant() switch
        {
            "br" => new BrotliStream(coded, CompressionLevel.Optimal, leaveOpen: true),
            "identity" => null,
            _ => new GZipStream(coded, CompressionLevel.Optimal, leaveOpen: true),
        })
        {
            (coder ?? coded).Write(body);
        }

        return coded.ToArray();
    }

    private static async Task<JsonElement> ErrorAsync(HttpResponseMessage response, int status, string code)
    {
        Assert.Equal(status, (int)response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        return error;
    }
}
