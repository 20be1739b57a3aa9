using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>What the protocol tells of server and models.</summary>
public sealed class ServerTests
{
    [Theory]
    [InlineData("/v2/health/live", 200, """{"live":true}""")]
    [InlineData("/v2/health/ready", 200, """{"ready":true}""")]
    [InlineData("/v2/models/echo", 200, """{"name":"echo","platform":"onnx_onnxv1","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"y","datatype":"BF16","shape":[-1]},{"name":"z","datatype":"BYTES","shape":[]}]}""")]
    [InlineData("/v2/models/decoder", 200, """{"name":"decoder","platform":"onnx_onnxv1","inputs":[{"name":"text_input","datatype":"BYTES","shape":[-1]}],"outputs":[{"name":"text_output","datatype":"BYTES","shape":[-1]}]}""")]
    [InlineData("/v2/models/echo/ready", 200, """{"name":"echo","ready":true}""")]
    [InlineData("/v2/models/versioned/versions/v7/ready", 200, """{"name":"versioned","ready":true}""")]
    [InlineData("/v2/models/versioned/versions/v8/ready", 404, null)]
    [InlineData("/v2/models/versioned/versions/v8", 404, null)]
    [InlineData("/v2/models/echo/versions/1", 404, null)]
    [InlineData("/v2/models/nobody", 404, null)]
    [InlineData("/v2/models/nobody/ready", 404, null)]
    public async Task Reading(string path, int status, string? expected)
    {
        await using var server = await TensorEcho.StartAsync();
        var response = await server.Client.GetAsync(path);
        Assert.Equal(status, (int)response.StatusCode);
        if (expected is not null) Assert.Equal(expected, await response.Content.ReadAsStringAsync());
        using HttpRequestMessage head = new(HttpMethod.Head, path);
        Assert.Equal(status, (int)(await server.Client.SendAsync(head)).StatusCode);
    }

    [Fact]
    public async Task The_server_says_what_it_speaks()
    {
        await using var server = await TensorEcho.StartAsync();
        var answer = await TestServer.JsonAsync(await server.Client.GetAsync("/v2"));
        Assert.Equal("r1-serverless", answer.GetProperty("name").GetString());
        Assert.Contains("binary_tensor_data", answer.GetProperty("extensions").EnumerateArray().Select(one => one.GetString()));
        var versions = (await TestServer.JsonAsync(await server.Client.GetAsync("/v2/models/versioned"))).GetProperty("versions");
        Assert.Equal("[\"v7\"]", versions.GetRawText());
    }

    [Theory]
    [InlineData("", 4)]
    [InlineData("{}", 4)]
    [InlineData("""{"ready":true}""", 3)]
    public async Task The_index_lists_every_version(string body, int count)
    {
        await using var server = await TensorEcho.StartAsync();
        var models = await TestServer.JsonAsync(await server.PostAsync("/v2/repository/index", body));
        Assert.Equal(count, models.GetArrayLength());
        var version = models.EnumerateArray().Single(one => one.GetProperty("version").ValueEquals("v7"));
        Assert.Equal(("versioned", "READY"), (version.GetProperty("name").GetString(), version.GetProperty("state").GetString()));
        if (count == 4)
            Assert.Contains(models.EnumerateArray(), one => one.GetProperty("state").ValueEquals("UNAVAILABLE")
                && one.GetProperty("reason").ValueEquals("it is too large"));
    }

    [Theory]
    [InlineData("/v2/repository/models/echo/load", 400, "loaded when they are asked for")]
    [InlineData("/v2/repository/models/echo/unload", 400, "leave memory by themselves")]
    [InlineData("/v2/repository/models/nobody/load", 404, "not served")]
    public async Task Loading_is_not_a_client_s(string path, int status, string expected)
    {
        await using var server = await TensorEcho.StartAsync();
        var response = await server.PostAsync(path, "{}");
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(expected, (await TestServer.JsonAsync(response)).GetProperty("error").GetString(), StringComparison.Ordinal);
    }
}
