using System.Text;
using System.Text.Json;
using CsCheck;
using R1Serverless.OpenAi;
using R1Serverless.Requests;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.OpenAi;

public sealed class ValidationTests
{
    [Fact]
    public async Task More_than_two_hundred_malformed_bodies_are_400_and_name_the_field()
    {
        FakeInference inference = FakeInference.Thoughtful();
        await using TestServer server = await TestServer.StartAsync(inference);
        (string Path, string Body, string? Param)[] cases = [.. MalformedBodies.All];
        Assert.True(cases.Length > 200, $"only {cases.Length} cases");
        foreach ((string path, string body, string? param) in cases)
        {
            string what = $"{path} {(body.Length > 200 ? body[..200] : body)}";
            JsonElement error = await RefusedAsync(server, path, Encoding.UTF8.GetBytes(body), what);
            if (param is not null) Assert.True(param == error.GetProperty("param").GetString(), $"{what}: {error}");
        }

        Assert.Empty(inference.Requests);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_400()
    {
        await using TestServer server = await TestServer.StartAsync(FakeInference.Thoughtful());
        foreach (byte[] body in MalformedBodies.NotText) await RefusedAsync(server, "/v1/chat/completions", body, Convert.ToHexString(body));
    }

    [Fact]
    public async Task A_typo_is_answered_with_the_right_name()
    {
        await using TestServer server = await TestServer.StartAsync(FakeInference.Thoughtful());
        JsonElement error = await RefusedAsync(server, "/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat(",\"temprature\":1")), "typo");
        Assert.Contains("'temperature'", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_cut_or_flipped_body_is_read_or_refused_but_never_throws()
    {
        byte[] good = Encoding.UTF8.GetBytes(TestServer.Chat(",\"stop\":[\"\\u00e9\\ud83d\\ude00\"],\"logit_bias\":{\"1\":-1.5},\"stream\":true,\"n\":2,\"seed\":7"));
        Gen.Select(Gen.Int[0, good.Length], Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Bool).Sample((cut, at, value, flip) =>
        {
            byte[] body = [.. good];
            if (flip) body[at] = value;
            else body = body[..cut];
            foreach (CompletionApi api in Enum.GetValues<CompletionApi>())
            {
                FaultSlot faults = new();
                CompletionCall? call = CompletionCall.Read(api, body, faults);
                Assert.Equal(call is null, faults.First is not null);
            }
        });
    }

    [Fact]
    public void Every_understood_field_reaches_the_request()
    {
        FaultSlot faults = new();
        CompletionCall? call = CompletionCall.Read(CompletionApi.Chat, Encoding.UTF8.GetBytes("""
            {"model":"m","messages":[{"role":"developer","content":"be brief"},{"role":"user","name":"ann","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":"c","reasoning_content":"dropped"}],"stream":true,"stream_options":{"include_usage":true},"n":3,"seed":-5,"stop":["x","y"],
            "temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.05,"frequency_penalty":-1,"presence_penalty":2,"logit_bias":{"7":-100,"8":1.5},"max_tokens":9,
            "max_completion_tokens":8,"logprobs":true,"top_logprobs":4,"ignore_eos":true,"precision":"int8","max_accuracy_drop":0.5,"user":"u","metadata":{"a":"b"},"store":false,"tools":[],"tool_choice":"none",
            "response_format":{"type":"text"},"modalities":["text"],"best_of":1,"reasoning_effort":"low","service_tier":null}
            """), faults);
        Assert.Null(faults.First);
        InferenceRequest request = call!.Request;
        Assert.True(call is { Stream: true, IncludeUsage: true });
        Assert.Equal(
            [new(ChatRole.System, "be brief"), new(ChatRole.User, "ab"), new(ChatRole.Assistant, "c")], Assert.IsType<Prompt.Chat>(request.Prompt).Messages);
        Assert.Equal(("m", 3, 8, 4, true), (request.Model, request.Choices, request.MaxTokens, request.TopLogprobs, request.IgnoreEndOfSequence));
        Assert.Equal(["x", "y"], request.Stop);
        Assert.Equal(new PrecisionWish(Precision.Int8, 0.5), request.Precision);
        SamplingOptions sampling = request.Sampling;
        Assert.Equal((0.5f, 0.9f, 40, 0.05f, -5L), (sampling.Temperature, sampling.TopP, sampling.TopK, sampling.MinP, sampling.Seed));
        Assert.Equal((-1f, 2f, -100f, 1.5f), (sampling.FrequencyPenalty, sampling.PresencePenalty, sampling.LogitBias[7], sampling.LogitBias[8]));
    }

    [Theory]
    [InlineData("\"text\"", null)]
    [InlineData("[\"text\"]", null)]
    [InlineData("[1,2,3]", 3)]
    [InlineData("[[4]]", 1)]
    public void A_prompt_is_text_or_token_ids(string json, int? tokens)
    {
        FaultSlot faults = new();
        Prompt prompt = CompletionCall.Read(CompletionApi.Text, Encoding.UTF8.GetBytes($"{{\"model\":\"m\",\"prompt\":{json}}}"), faults)!.Request.Prompt;
        if (tokens is null) Assert.Equal("text", Assert.IsType<Prompt.Text>(prompt).Value);
        else Assert.Equal(tokens, Assert.IsType<Prompt.Tokens>(prompt).Ids.Count);
    }

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public void A_model_has_a_name_that_an_answer_can_carry(int length, bool isFine)
    {
        FaultSlot faults = new();
        CompletionCall? call = CompletionCall.Read(CompletionApi.Text, Encoding.UTF8.GetBytes($"{{\"model\":\"{new string('m', length)}\",\"prompt\":\"x\"}}"), faults);
        Assert.Equal((isFine, isFine ? null : "model"), (call is not null, faults.First?.Param));
    }

    [Fact]
    public void Of_duplicate_fields_the_last_counts()
    {
        FaultSlot faults = new();
        CompletionCall? call = CompletionCall.Read(CompletionApi.Text, """{"model":"a","model":"b","prompt":"x"}"""u8.ToArray(), faults);
        Assert.Equal("b", call!.Request.Model);
    }

    private static async Task<JsonElement> RefusedAsync(TestServer server, string path, byte[] body, string what)
    {
        HttpResponseMessage response = await server.PostAsync(path, body);
        Assert.True((int)response.StatusCode == 400, $"{what}: {response.StatusCode}");
        JsonElement error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.False(string.IsNullOrEmpty(error.GetProperty("message").GetString()), what);
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        return error;
    }
}
