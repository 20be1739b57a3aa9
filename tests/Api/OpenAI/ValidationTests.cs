using System.Net;
using System.Text;
using System.Text.Json;
using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.OpenAI;

public sealed class ValidationTests
{
    [Fact]
    public async Task More_than_two_hundred_malformed_bodies_are_400_and_name_the_field()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference);
        (string Path, string Body, string? Param)[] cases = [.. MalformedBodies.All];
        Assert.True(cases.Length > 200, $"only {cases.Length} cases");
        foreach ((var path, var body, var param) in cases)
        {
            var what = $"{path} {(body.Length > 200 ? body[..200] : body)}";
            var error = await RefusedAsync(server, path, Encoding.UTF8.GetBytes(body), what);
            if (param is not null) Assert.True(param == error.GetProperty("param").GetString(), $"{what}: {error}");
        }

        Assert.Empty(inference.Requests);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_400()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        foreach (var body in MalformedBodies.NotText) await RefusedAsync(server, "/v1/chat/completions", body, Convert.ToHexString(body));
    }

    [Fact]
    public async Task A_typo_is_answered_with_the_right_name()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var error = await RefusedAsync(server, "/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat(",\"temprature\":1")), "typo");
        Assert.Contains("'temperature'", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_cut_or_flipped_body_is_read_or_refused_but_never_throws()
    {
        var good =
            Encoding.UTF8.GetBytes(
                TestServer.Chat(",\"stop\":[\"\\u00e9\\ud83d\\ude00\"],\"logit_bias\":{\"1\":-1.5},\"stream\":true,\"n\":2,\"seed\":7"));
        Gen.Select(Gen.Int[0, good.Length], Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Bool).Sample((cut, at, value, flip) =>
        {
            byte[] body = [.. good];
            if (flip) body[at] = value;
            else body = body[..cut];
            foreach (var api in Enum.GetValues<CompletionApi>())
            {
                ValidationResult faults = new();
                var call = CompletionCall.Read(api, body, faults);
                Assert.Equal(call is null, faults.First is not null);
            }
        });
    }

    [Fact]
    public void Every_understood_field_reaches_the_request()
    {
        ValidationResult faults = new();
        var call = CompletionCall.Read(CompletionApi.Chat, Encoding.UTF8.GetBytes("""
            {"model":"m","messages":[{"role":"developer","content":"be brief"},{"role":"user","name":"ann","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":"c","reasoning_content":"dropped"}],"stream":true,"stream_options":{"include_usage":true},"n":3,"seed":-5,"stop":["x","y"],
            "temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.05,"frequency_penalty":-1,"presence_penalty":2,"logit_bias":{"7":-100,"8":1.5},"max_tokens":9,
            "max_completion_tokens":8,"logprobs":true,"top_logprobs":4,"ignore_eos":true,"precision":"int8","max_accuracy_drop":0.5,"user":"u","metadata":{"a":"b"},"store":false,"tools":[],"tool_choice":"none",
            "response_format":{"type":"text"},"modalities":["text"],"best_of":1,"reasoning_effort":"low","service_tier":null,
            "chat_template_kwargs":{"enable_thinking":false}}
            """), faults);
        Assert.Null(faults.First);
        var request = call!.Request;
        Assert.True(call is { Stream: true, IncludeUsage: true });
        Assert.Equal(
            [new(ChatRole.System, "be brief"), new(ChatRole.User, "ab"), new(ChatRole.Assistant, "c")],
            Assert.IsType<Prompt.Chat>(request.Prompt).Messages);
        Assert.Equal(
            ("low", """{"enable_thinking":false}"""),
            (((Prompt.Chat)request.Prompt).ReasoningEffort, ((Prompt.Chat)request.Prompt).TemplateArguments?.GetRawText()));
        Assert.Equal(("m", 3, 8, 4, true), (request.Model, request.Choices, request.MaxTokens, request.TopLogprobs, request.IgnoreEndOfSequence));
        Assert.Equal(["x", "y"], request.Stop);
        Assert.Equal(new PrecisionPreference(Precision.Int8, 0.5), request.Precision);
        var sampling = request.Sampling;
        Assert.Equal((0.5f, 0.9f, 40, 0.05f, -5L), (sampling.Temperature, sampling.TopP, sampling.TopK, sampling.MinP, sampling.Seed));
        Assert.Equal((-1f, 2f, -100f, 1.5f), (sampling.FrequencyPenalty, sampling.PresencePenalty, sampling.LogitBias[7], sampling.LogitBias[8]));
    }

    [Theory]
    [InlineData("10.0", 10)]
    [InlineData("1e1", 10)]
    [InlineData("1E+1", 10)]
    [InlineData("100e-1", 10)]
    [InlineData("2147483647.000", int.MaxValue)]
    public void A_whole_number_may_be_written_as_any_number(string json, int value)
    {
        ValidationResult faults = new();
        var request = Read($",\"max_tokens\":{json},\"top_k\":{json},\"seed\":{json}", faults)!.Request;
        Assert.Equal((value, value, (long)value), (request.MaxTokens, request.Sampling.TopK, request.Sampling.Seed));
        var ids = Assert.IsType<Prompt.Tokens>(CompletionCall.Read(
            CompletionApi.Text, Encoding.UTF8.GetBytes($"{{\"model\":\"m\",\"prompt\":[{json}]}}"), faults)!.Request.Prompt).Ids;
        Assert.Equal([value], ids);
    }

    [Theory]
    [InlineData("10.5")]
    [InlineData("1e-1")]
    [InlineData("1e30")]
    [InlineData("1e9999")]
    public void What_is_no_whole_number_in_the_range_is_not_one(string json)
    {
        ValidationResult faults = new();
        Assert.Null(Read($",\"max_tokens\":{json}", faults));
        Assert.Equal("max_tokens", faults.First!.Param);
    }

    [Fact]
    public void All_tokens_are_candidates_also_as_minus_one() => Assert.Equal(0, Read(",\"top_k\":-1", new())!.Request.Sampling.TopK);

    [Fact]
    public void A_byte_order_mark_before_the_body_says_nothing()
    {
        ValidationResult faults = new();
        byte[] body = [.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(TestServer.Chat())];
        Assert.NotNull(CompletionCall.Read(CompletionApi.Chat, body, faults));
    }

    [Fact]
    public void What_is_not_supported_says_what_to_do()
    {
        ValidationResult faults = new();
        Assert.Null(Read(",\"response_format\":{\"type\":\"json_object\"}", faults));
        Assert.Equal("'response_format' is not supported here with this value: leave it out.", faults.First!.Message);
    }

    [Fact]
    public void A_nucleus_of_nothing_is_the_likeliest_token()
    {
        ValidationResult faults = new();
        var sampling = Read(",\"top_p\":0,\"temperature\":1.5", faults)!.Request.Sampling;
        Assert.Equal((0f, null), (sampling.Temperature, sampling.TopP));
    }

    [Fact]
    public async Task Tools_that_may_not_be_called_and_what_is_null_change_no_answer()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference);
        const string Tool = """{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}""";
        foreach (var more in (string[])[$",\"tools\":[{Tool}],\"tool_choice\":\"none\"", ",\"functions\":[{}],\"function_call\":\"none\"",
            ",\"no_such_field\":null,\"tool_choice\":null,\"stream_options\":null"])
            Assert.Equal(HttpStatusCode.OK, (await server.PostAsync("/v1/chat/completions", TestServer.Chat(more))).StatusCode);

        // As SDKs send their own answers back.
        var body = $$"""
            {"model":"{{TestServer.Model}}","messages":[{"role":"user","content":[{"type":"text","text":"a","cache":null}]},
            {"role":"assistant","content":"42","parsed":null,"provider_specific_fields":null,"refusal":null,"tool_calls":null,"function_call":null},
            {"role":"user","content":"b"}],"stream":true,"stream_options":{"include_usage":true,"other":null} }
            """;
        Assert.Equal(HttpStatusCode.OK, (await server.PostAsync("/v1/chat/completions", body)).StatusCode);
        Assert.Equal(4, inference.Requests.Count);
    }

    [Theory]
    [InlineData("\"text\"", null)]
    [InlineData("[\"text\"]", null)]
    [InlineData("[1,2,3]", 3)]
    [InlineData("[[4]]", 1)]
    public void A_prompt_is_text_or_token_ids(string json, int? tokens)
    {
        ValidationResult faults = new();
        var prompt =
            CompletionCall.Read(CompletionApi.Text, Encoding.UTF8.GetBytes($"{{\"model\":\"m\",\"prompt\":{json}}}"), faults)!.Request.Prompt;
        if (tokens is null) Assert.Equal("text", Assert.IsType<Prompt.Text>(prompt).Value);
        else Assert.Equal(tokens, Assert.IsType<Prompt.Tokens>(prompt).Ids.Count);
    }

    [Fact]
    public void Several_prompts_and_the_best_of_several_answers_reach_the_request()
    {
        ValidationResult faults = new();
        var call = CompletionCall.Read(
            CompletionApi.Text, """{"model":"m","prompt":["a",[1,2],"b"],"n":2,"best_of":4,"echo":true}"""u8.ToArray(), faults)!;
        var prompts = Assert.IsType<Prompt.List>(call.Request.Prompt).Prompts;
        Assert.Equal(["a", "b"], prompts.OfType<Prompt.Text>().Select(text => text.Value));
        Assert.Equal([1, 2], Assert.IsType<Prompt.Tokens>(prompts[1]).Ids);
        Assert.Equal((2, 4, true, 6), (call.Request.Choices, call.Request.BestOf, call.Request.Echo, call.AnswerCount));
    }

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public void A_model_has_a_name_that_an_answer_can_carry(int length, bool isFine)
    {
        ValidationResult faults = new();
        var call =
            CompletionCall.Read(CompletionApi.Text, Encoding.UTF8.GetBytes($"{{\"model\":\"{new string('m', length)}\",\"prompt\":\"x\"}}"), faults);
        Assert.Equal((isFine, isFine ? null : "model"), (call is not null, faults.First?.Param));
    }

    [Fact]
    public void Of_duplicate_fields_the_last_counts()
    {
        ValidationResult faults = new();
        var call = CompletionCall.Read(CompletionApi.Text, """{"model":"a","model":"b","prompt":"x"}"""u8.ToArray(), faults);
        Assert.Equal("b", call!.Request.Model);
    }

    private static CompletionCall? Read(string more, ValidationResult faults) =>
        CompletionCall.Read(CompletionApi.Chat, Encoding.UTF8.GetBytes(TestServer.Chat(more)), faults);

    private static async Task<JsonElement> RefusedAsync(TestServer server, string path, byte[] body, string what)
    {
        var response = await server.PostAsync(path, body);
        Assert.True((int)response.StatusCode == 400, $"{what}: {response.StatusCode}");
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.False(string.IsNullOrEmpty(error.GetProperty("message").GetString()), what);
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        return error;
    }
}
