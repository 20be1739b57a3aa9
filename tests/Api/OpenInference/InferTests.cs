using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>POST /v2/models/{model}/infer over HTTP.</summary>
public sealed class InferTests
{
    private const string Path = "/v2/models/echo/infer";
    private const string Two = """{"name":"a","datatype":"FP32","shape":[2],"data":[0.1,NaN]},{"name":"b","datatype":"BYTES","shape":[1],"data":["é"]}""";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tensors_go_in_and_out_as_JSON(bool isApart)
    {
        await using var server = isApart ? await TestServer.StartApartAsync(TensorEcho.Inference()) : await TensorEcho.StartAsync();
        var model = isApart ? TestServer.Model : TensorEcho.Model;
        var response = await server.PostAsync($"/v2/models/{model}/infer", $$"""{"id":"mine","inputs":[{{Two}}]}""");
        Assert.Equal((HttpStatusCode.OK, "application/json"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Equal("int8; fastest; version v7", response.Headers.GetValues("x-r1-variant").Single());
        Assert.Equal(
            $$"""{"model_name":"{{model}}","model_version":"v7","id":"mine","outputs":["""
            + """{"name":"a","datatype":"FP32","shape":[2],"data":[0.1,NaN]},{"name":"b","datatype":"BYTES","shape":[1],"data":["é"]}]}""",
            await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Binary_data_go_in_and_out_behind_the_JSON()
    {
        await using var server = await TensorEcho.StartAsync();
        var json = """
            {"parameters":{"binary_data_output":true},"inputs":[
            {"name":"a","datatype":"BF16","shape":[2],"parameters":{"binary_data_size":4}},
            {"name":"b","datatype":"INT8","shape":[],"parameters":{"binary_data_size":1}},{"name":"c","datatype":"INT8","shape":[0],"data":[]}],
            "outputs":[{"name":"b"},{"name":"c","parameters":{"binary_data":false}},{"name":"a"}]}
            """u8.ToArray();
        using var request = Binary(json, [1, 2, 3, 4, 5]);
        var response = await server.Client.SendAsync(request);
        var body = await response.Content.ReadAsByteArrayAsync();
        var length = int.Parse(response.Headers.GetValues("Inference-Header-Content-Length").Single());
        Assert.Equal("application/octet-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(body.Length, response.Content.Headers.ContentLength);
        Assert.Equal([5, 1, 2, 3, 4], body[length..]);
        var outputs = JsonDocument.Parse(body[..length]).RootElement.GetProperty("outputs").EnumerateArray().ToArray();
        Assert.Equal(["b", "c", "a"], outputs.Select(one => one.GetProperty("name").GetString()));
        Assert.Equal(4, outputs[2].GetProperty("parameters").GetProperty("binary_data_size").GetInt32());
        Assert.Equal("[]", outputs[1].GetProperty("data").GetRawText());
    }

    /// <summary>It waits for a worker, as other requests for text do; what a worker has to be known for is to be tried again.</summary>
    [Fact]
    public async Task A_gateway_without_workers_takes_text_in_and_asks_for_patience_where_it_has_to_know_the_model()
    {
        // It ends with its worker.
        var gateway = await TestServer.StartGatewayAsync();
        using var raw = TestServer.Post($"/v2/models/{TestServer.Model}/infer", [1, 2, 3, 4]);
        raw.Headers.Add("Inference-Header-Content-Length", "0");
        foreach (var response in (HttpResponseMessage[])[await gateway.Client.SendAsync(raw),
            await gateway.Client.GetAsync($"/v2/models/{TestServer.Model}"),
            await gateway.PostAsync($"/v2/models/{TestServer.Model}/versions/1/infer", $$"""{"inputs":[{{Two}}]}""")])
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.NotNull(response.Headers.RetryAfter);
        }

        var asked = gateway.PostAsync($"/v2/models/{TestServer.Model}/infer",
            """{"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"data":["a"]}],"parameters":{"max_tokens":3}}""");
        var inference = FakeInference.Of(new InferenceEvent.Admitted(1, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Answer, "yes"),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Stop), new InferenceEvent.Finished(new Usage(1, 1, 0)));
        await using var worker = await gateway.WithWorkerAsync(inference);
        var answer = await asked;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("yes", (await TestServer.JsonAsync(answer)).GetProperty("outputs")[0].GetProperty("data")[0].GetString());
        Assert.Equal(3, Assert.Single(inference.Requests).MaxTokens);
    }

    [Fact]
    public async Task A_body_may_be_compressed_or_without_JSON_or_without_a_type()
    {
        var inference = TensorEcho.Inference();
        await using var server = await TensorEcho.StartAsync(inference);
        using MemoryStream packed = new();
        await using (GZipStream gzip = new(packed, CompressionMode.Compress, leaveOpen: true)) gzip.Write(Encoding.UTF8.GetBytes($$"""{"inputs":[{{Two}}]}"""));
        using HttpRequestMessage compressed = new(HttpMethod.Post, Path) { Content = new ByteArrayContent(packed.ToArray()) };
        compressed.Content.Headers.ContentEncoding.Add("gzip");
        Assert.Equal(HttpStatusCode.OK, (await server.Client.SendAsync(compressed)).StatusCode);

        using var raw = Binary([], [.. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f)]);
        var response = await server.Client.SendAsync(raw);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(BitConverter.GetBytes(2f), (await response.Content.ReadAsByteArrayAsync())[^4..]);
        Assert.Equal([1, 2], Assert.IsType<Prompt.Tensors>(inference.Requests[^1].Prompt).Inputs.Single().Shape);
    }

    [Fact]
    public async Task Parameters_and_headers_say_precision_and_time()
    {
        var inference = TensorEcho.Inference();
        await using var server = await TensorEcho.StartAsync(inference, new ServeOptions { Precision = Precision.Fp16 });
        await server.PostAsync(Path, $$"""{"parameters":{"timeout":2500000,"priority":1,"precision":"int8","max_accuracy_drop":2},"inputs":[{{Two}}]}""");
        var request = inference.Requests[^1];
        Assert.Equal((TimeSpan.FromSeconds(2.5), new PrecisionPreference(Precision.Int8, 2)), (request.Deadline!.Value, request.Precision));
        using var more = TestServer.Post(Path, Encoding.UTF8.GetBytes($$"""{"parameters":{"timeout":0},"inputs":[{{Two}}],"outputs":[{"name":"b"}]}"""));
        more.Headers.Add("x-r1-deadline", "3");
        await server.Client.SendAsync(more);
        request = inference.Requests[^1];
        Assert.Equal((TimeSpan.FromSeconds(3), Precision.Fp16), (request.Deadline!.Value, request.Precision.Named));
        Assert.Equal(["b"], Assert.IsType<Prompt.Tensors>(request.Prompt).Outputs);
    }

    [Theory]
    [InlineData("/v2/models/echo/infer", """{"parameters":{"timeout":-1},"inputs":[I]}""", 400, "'parameters.timeout'")]
    [InlineData("/v2/models/echo/infer", """{"parameters":{"temperature":1},"inputs":[I]}""", 400, "Unknown field 'parameters.temperature'")]
    [InlineData("/v2/models/echo/infer", """{"parameters":{"sequence_id":1},"inputs":[I]}""", 400, "'parameters.sequence_id'")]
    [InlineData("/v2/models/echo/infer", """{"parameters":{"precision":"int7"},"inputs":[I]}""", 400, "must be one of")]
    [InlineData("/v2/models/echo/infer", """{"inputs":[I],"outputs":[{"name":"q"}]}""", 400, "no output 'q'")]
    [InlineData("/v2/models/echo/infer", "", 400, "must be a JSON object")]
    [InlineData("/v2/models/nobody/versions/1/infer", """{"inputs":[I]}""", 404, "'nobody' is not served")]
    [InlineData("/v2/models/echo/versions/1/infer", """{"inputs":[I]}""", 404, "has no versions here")]
    [InlineData("/v2/models/versioned/versions/v8/infer", """{"inputs":[I]}""", 404, "active is v7")]
    [InlineData("/v2/models/versioned/versions/v7/infer", """{"inputs":[I]}""", 200, "v7")]
    [InlineData("/v2/models/decoder/infer", """{"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"data":["a"]}],"outputs":[{"name":"y"}]}""",
        400, "it has 'text_output'")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"model":"other"},"inputs":[T]}""", 400, "'parameters.model' is not supported here")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"prompt":null,"model":null},"inputs":[T]}""", 200, "text_output")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"prompt":"b"},"inputs":[T]}""", 400, "'parameters.prompt' is not supported here")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"webhook":"http://a"},"inputs":[T]}""", 400, "'parameters.webhook' is not supported")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"max_token":1},"inputs":[T]}""", 400, "Did you mean 'max_tokens'?")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"sequence_id":1},"inputs":[T]}""", 400, "'sequence_id'")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"temperature":"1"},"inputs":[T]}""", 400, "'temperature' must be a number")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"temperature":NaN},"inputs":[T]}""", 400, "'temperature' can't be NaN")]
    [InlineData("/v2/models/decoder/infer", """{"parameters":{"max_tokens":1e999},"inputs":[T]}""", 400, "'max_tokens' must be a whole number")]
    [InlineData("/v2/models/echo/infer", """{"parameters":{"priority":"1"},"inputs":[I]}""", 400, "'parameters.priority' must be a whole number")]
    [InlineData("/v2/nothing", "{}", 404, "There is nothing at")]
    public async Task What_is_wrong_is_said_as_the_protocol_has_it(string path, string body, int status, string expected)
    {
        await using var server = await TensorEcho.StartAsync();
        var response = await server.PostAsync(path, body.Replace("[I]", $"[{Two}]", StringComparison.Ordinal)
            .Replace("[T]", """[{"name":"text_input","datatype":"BYTES","shape":[1],"data":["a"]}]""", StringComparison.Ordinal));
        Assert.Equal(status, (int)response.StatusCode);
        var answer = await response.Content.ReadAsStringAsync();
        Assert.Contains(expected, answer, StringComparison.Ordinal);
        if (status != 200)
        {
            var error = JsonDocument.Parse(answer).RootElement.EnumerateObject().Single();
            Assert.Equal(("error", JsonValueKind.String), (error.Name, error.Value.ValueKind));
        }
    }

    [Theory]
    [InlineData("text/plain", null, 200)]
    [InlineData("application/octet-stream", "1000000", 400)]
    [InlineData("application/octet-stream", "-1", 400)]
    [InlineData("application/octet-stream", "x", 400)]
    [InlineData("application/json", "0", 400)]
    public async Task Types_and_lengths_are_checked(string type, string? length, int status)
    {
        await using var server = await TensorEcho.StartAsync();
        using var request = TestServer.Post(Path, Encoding.UTF8.GetBytes($$"""{"inputs":[{{Two}}]}"""));
        request.Content!.Headers.ContentType = new(type);
        if (length is not null) request.Headers.Add("Inference-Header-Content-Length", length);
        Assert.Equal(status, (int)(await server.Client.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Larger_bodies_than_the_limit_are_413()
    {
        await using var server = await TensorEcho.StartAsync(options: new ServeOptions { MaxBodyBytes = 1000 });
        using var request = Binary("{}"u8.ToArray(), new byte[1000]);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await server.Client.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Who_comes_back_gets_the_tensors_as_JSON_to_the_letter()
    {
        await using var server = await TestServer.StartApartAsync(TensorEcho.Inference());
        var path = $"/v2/models/{TestServer.Model}/infer";
        using var request = TestServer.Post(path, Encoding.UTF8.GetBytes($$"""{"id":"mine","parameters":{"binary_data_output":true},"inputs":[{{Two}}]}"""));
        request.Headers.Add("Prefer", "respond-async");
        request.Headers.Add("Idempotency-Key", "key-1");
        var response = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var place = response.Headers.Location!.ToString();
        JsonElement record = default;
        await Eventually.HoldsAsync(
            async () => (record = await TestServer.JsonAsync(await server.Client.GetAsync(place))).GetProperty("status").GetString() != "queued",
            () => "the request's end");
        var answer = record.GetProperty("response");
        Assert.Equal(("mine", TestServer.Model), (answer.GetProperty("id").GetString(), answer.GetProperty("model_name").GetString()));
        Assert.Equal("[0.1,\"NaN\"]", answer.GetProperty("outputs")[0].GetProperty("data").GetRawText());

        // The same call that waits gets the same answer in the form that it asks for.
        using var again = TestServer.Post(path, Encoding.UTF8.GetBytes($$"""{"id":"mine","parameters":{"binary_data_output":true},"inputs":[{{Two}}]}"""));
        again.Headers.Add("Idempotency-Key", "key-1");
        var replay = await server.Client.SendAsync(again);
        Assert.Equal(("true", "application/octet-stream"),
            (replay.Headers.GetValues("idempotency-replayed").Single(), replay.Content.Headers.ContentType?.MediaType));
    }

    [Fact]
    public async Task Decoders_take_and_give_text()
    {
        var inference = TensorEcho.Inference();
        await using var server = await TensorEcho.StartAsync(inference);
        var response = await server.PostAsync("/v2/models/decoder/infer", """
            {"id":"1","parameters":{"max_tokens":7,"temperature":0,"timeout":5000000},
             "inputs":[{"name":"text_input","datatype":"BYTES","shape":[2],"data":["a","b"]}],"outputs":[{"name":"text_output"}]}
            """);
        var output = (await TestServer.JsonAsync(response)).GetProperty("outputs")[0];
        Assert.Equal("text_output", output.GetProperty("name").GetString());
        Assert.Equal("[\"answer 0\",\"answer 1\"]", output.GetProperty("data").GetRawText());
        var request = inference.Requests.Single();
        Assert.Equal((7, TimeSpan.FromSeconds(5)), (request.MaxTokens, request.Deadline));
        Assert.Equal(["a", "b"], Assert.IsType<Prompt.List>(request.Prompt).Prompts.Select(one => Assert.IsType<Prompt.Text>(one).Value));
    }

    [Fact]
    public async Task Keys_are_asked_for_as_elsewhere()
    {
        await using var server = await TensorEcho.StartAsync(options: new ServeOptions { ApiKeys = ["secret-of-16-characters"] });
        var response = await server.PostAsync(Path, $$"""{"inputs":[{{Two}}]}""");
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(JsonValueKind.String, (await TestServer.JsonAsync(response)).GetProperty("error").ValueKind);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/v2/health/ready")).StatusCode);
    }

    private static HttpRequestMessage Binary(byte[] json, byte[] binary)
    {
        HttpRequestMessage request = new(HttpMethod.Post, Path) { Content = new ByteArrayContent([.. json, .. binary]) };
        request.Headers.Add("Inference-Header-Content-Length", $"{json.Length}");
        return request;
    }
}
