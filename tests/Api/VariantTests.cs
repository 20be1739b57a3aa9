using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>The extension for precisions: what a client may ask, and what it is told.</summary>
public sealed class VariantTests
{
    [Theory]
    [InlineData("/v1/chat/completions", "", false)]
    [InlineData("/v1/chat/completions", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}", false)]
    [InlineData("/v1/completions", "", false)]
    [InlineData("/v1/completions", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}", false)]
    [InlineData("/v1/chat/completions", "", true)]
    [InlineData("/v1/chat/completions", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}", true)]
    public async Task Header_and_usage_tell_the_variant_and_the_reason(string path, string more, bool isApart)
    {
        var inference = FakeInference.Of(
            new InferenceEvent.Admitted(1, new VariantChoice(Precision.Int8, "fastest – by far")), new InferenceEvent.Delta(0, DeltaKind.Answer, "4"),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Stop), new InferenceEvent.Finished(new Usage(1, 1, 0)));
        await using var server = isApart ? await TestServer.StartApartAsync(inference) : await TestServer.StartAsync(inference);
        var response =
            await server.PostAsync(path, path.Contains("chat", StringComparison.Ordinal) ? TestServer.Chat(more) : TestServer.Completion(more));
        Assert.Equal("int8; fastest ? by far", response.Headers.GetValues("x-r1-variant").Single());
        var body = await response.Content.ReadAsStringAsync();
        if (more.Length > 0) body = body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^2]["data: ".Length..];
        var variant = JsonDocument.Parse(body).RootElement.GetProperty("usage").GetProperty("variant");
        Assert.Equal(("int8", "fastest – by far"), (variant.GetProperty("precision").GetString(), variant.GetProperty("reason").GetString()));
    }

    [Theory]
    [InlineData("", null, null, null, true)]
    [InlineData("", null, Precision.Int8, Precision.Int8, true)]
    [InlineData(",\"precision\":\"fp16\"", null, Precision.Int8, Precision.Fp16, false)]
    [InlineData(",\"precision\":null", "int4", Precision.Int8, Precision.Int4, false)]
    [InlineData(",\"precision\":\"int4\"", "int4", null, Precision.Int4, false)]
    [InlineData(",\"precision\":\"auto\"", null, Precision.Int8, null, false)]
    [InlineData("", "auto", Precision.Int8, null, false)]
    public async Task Body_header_and_server_say_which(string body, string? header, Precision? server, Precision? expected, bool isServerDefault)
    {
        var inference = FakeInference.Thoughtful();
        await using var running = await TestServer.StartAsync(inference, new ServeOptions { Precision = server });
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(running, body, header)).StatusCode);
        var preference = Assert.Single(inference.Requests).Precision;
        Assert.Equal(new PrecisionPreference(expected) { IsServerDefault = isServerDefault }, preference);
    }

    [Theory]
    [InlineData("", "INT8", "x-r1-precision")]
    [InlineData("", "", "x-r1-precision")]
    [InlineData("", "int8, int4", "x-r1-precision")]
    [InlineData(",\"precision\":\"int8\"", "int4", "precision")]
    [InlineData(",\"precision\":\"int8\"", "auto", "precision")]
    public async Task What_is_unknown_or_contradicts_itself_is_400(string body, string header, string param)
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference);
        var response = await SendAsync(server, body, header);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(param, error.GetProperty("param").GetString());
        if (body.Length == 0) Assert.Contains("fp32, fp16, int8, int4 and auto", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Empty(inference.Requests);
    }

    private static Task<HttpResponseMessage> SendAsync(TestServer server, string body, string? header)
    {
        var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat(body)));
        if (header is not null) request.Headers.TryAddWithoutValidation("x-r1-precision", header);
        return server.Client.SendAsync(request);
    }
}
