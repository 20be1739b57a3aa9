using System.Net;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed class DirectCompletionTests : CompletionTests
{
    // Behind a queue these are tried again instead, and only told if no delivery ends better.
    [Theory]
    [InlineData(InferenceErrorKind.QueueFull, 429, "queue_full")]
    [InlineData(InferenceErrorKind.Unavailable, 503, "unavailable")]
    [InlineData(InferenceErrorKind.Internal, 500, "internal_error")]
    public Task A_refusal_that_may_pass_has_the_right_status_streamed_or_not(InferenceErrorKind kind, int status, string code) =>
    RefusedAsync(kind, status, code);

    [Fact]
    public async Task An_engine_that_throws_gives_500_with_the_request_id_and_no_details()
    {
        FakeInference inference = new((_, _) => throw new InvalidOperationException("a detail"));
        await using var server = await TestServer.StartAsync(inference);
        var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat());
        var body = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains(response.Headers.GetValues("x-request-id").Single(), body, StringComparison.Ordinal);
        Assert.DoesNotContain("a detail", body, StringComparison.Ordinal);
    }

    internal override Task<TestServer> StartAsync(IInference inference) => TestServer.StartAsync(inference);
}

public sealed class QueuedCompletionTests : CompletionTests
{
    internal override Task<TestServer> StartAsync(IInference inference) => TestServer.StartApartAsync(inference);
}

/// <summary>Answers and refusals, the same whether the engine is here or behind a queue.</summary>
public abstract class CompletionTests
{
    internal abstract Task<TestServer> StartAsync(IInference inference);

    [Fact]
    public async Task A_chat_answer_has_reasoning_answer_and_usage()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat());
        var answer = await TestServer.JsonAsync(response);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.StartsWith("chatcmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        var choice = Assert.Single(answer.GetProperty("choices").EnumerateArray());
        var message = choice.GetProperty("message");
        Assert.Equal("42", message.GetProperty("content").GetString());
        Assert.Equal("thinking", message.GetProperty("reasoning_content").GetString());
        Assert.Equal("thinking", message.GetProperty("reasoning").GetString());
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        var usage = answer.GetProperty("usage");
        Assert.Equal(5, usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(9, usage.GetProperty("total_tokens").GetInt32());
        Assert.Equal(2, usage.GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32());
        Assert.Equal(3, usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
    }

    [Fact]
    public async Task A_text_completion_is_one_text_with_the_reasoning_in_it()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        var answer = await TestServer.JsonAsync(await server.PostAsync("/v1/completions", TestServer.Completion(",\"n\":2,\"logprobs\":2")));
        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray()];
        Assert.Equal(2, choices.Length);
        Assert.All(choices, choice => Assert.Equal("thinking42", choice.GetProperty("text").GetString()));
        var logprobs = choices[1].GetProperty("logprobs");
        Assert.Equal([0, 5, 8], logprobs.GetProperty("text_offset").EnumerateArray().Select(one => one.GetInt32()));
        // As many as were asked for, and the chosen one, which is none of them.
        Assert.Equal(["420", "421", "42"], logprobs.GetProperty("top_logprobs")[2].EnumerateObject().Select(one => one.Name));
        Assert.Equal(-9999, logprobs.GetProperty("top_logprobs")[2].GetProperty("421").GetSingle());
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"stream\":true")]
    public async Task Answers_to_several_prompts_are_numbered_through(string more)
    {
        FakeInference inference = new((request, stop) => FakeInference.Thoughtful().RunAsync(request with { Choices = 4 }, stop));
        await using var server = await StartAsync(inference);
        var body = $$"""{"model":"{{TestServer.Model}}","prompt":["a",[1,2]],"n":2{{more}}}""";
        var text = await (await server.PostAsync("/v1/completions", body)).Content.ReadAsStringAsync();
        var parts = more.Length == 0 ? [text]
            : text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1].Select(line => line["data: ".Length..]);
        var texts = parts.SelectMany(part => JsonDocument.Parse(part).RootElement.GetProperty("choices").EnumerateArray())
            .GroupBy(choice => choice.GetProperty("index").GetInt32(), choice => choice.GetProperty("text").GetString()).OrderBy(one => one.Key)
            .Select(one => string.Concat(one));
        Assert.Equal(Enumerable.Repeat("thinking42", 4), texts);
        Assert.IsType<Prompt.List>(inference.Requests[^1].Prompt);
    }

    [Fact]
    public async Task Chat_logprobs_have_tokens_bytes_and_alternatives()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"logprobs\":true,\"top_logprobs\":2"));
        var tokens = (await TestServer.JsonAsync(response)).GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content");
        Assert.Equal(["think", "ing", "42"], tokens.EnumerateArray().Select(token => token.GetProperty("token").GetString()));
        Assert.Equal([52, 50], tokens[2].GetProperty("bytes").EnumerateArray().Select(one => one.GetInt32()));
        Assert.Equal(["420", "42"], tokens[2].GetProperty("top_logprobs").EnumerateArray().Select(one => one.GetProperty("token").GetString()));
    }

    [Fact]
    public async Task Reasoning_whose_end_nothing_opened_is_told_from_the_answer_where_that_is_given_whole()
    {
        await using var server = await StartAsync(FakeInference.Of(
            new InferenceEvent.Admitted(5, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Answer, "6 * 7\n"),
            new InferenceEvent.Delta(0, DeltaKind.Answer, "42"), new InferenceEvent.ChoiceFinished(0, FinishReason.Stop, UnopenedReasoning: 6),
            new InferenceEvent.Finished(new Usage(5, 3, 2))));
        var message = (await TestServer.JsonAsync(await server.PostAsync("/v1/chat/completions", TestServer.Chat(""))))
            .GetProperty("choices")[0].GetProperty("message");
        Assert.Equal(("6 * 7", "42"), (message.GetProperty("reasoning_content").GetString(), message.GetProperty("content").GetString()));
        var output = (await TestServer.JsonAsync(await server.PostAsync("/v1/responses", $$"""{"model":"{{TestServer.Model}}","input":"6 * 7?"}""")))
            .GetProperty("output");
        Assert.Equal(["6 * 7", "42"], output.EnumerateArray().Select(item => item.GetProperty("content")[0].GetProperty("text").GetString()));
    }

    [Fact]
    public async Task Logprobs_that_were_asked_for_are_there_even_where_no_text_came()
    {
        await using var server = await StartAsync(FakeInference.Of(
            new InferenceEvent.Admitted(5, FakeInference.Variant), new InferenceEvent.ChoiceFinished(0, FinishReason.Stop),
            new InferenceEvent.Finished(new Usage(5, 1, 0))));
        foreach (var more in (string[])["", ",\"stream\":true"])
        {
            var chat = await ChoiceAsync(await server.PostAsync("/v1/chat/completions", TestServer.Chat($",\"logprobs\":true{more}")));
            Assert.Equal(0, chat.GetProperty("logprobs").GetProperty("content").GetArrayLength());
            var text = await ChoiceAsync(await server.PostAsync("/v1/completions", TestServer.Completion($",\"logprobs\":2{more}")));
            foreach (var name in (string[])["tokens", "token_logprobs", "top_logprobs", "text_offset"])
                Assert.Equal(0, text.GetProperty("logprobs").GetProperty(name).GetArrayLength());
            var none = await ChoiceAsync(await server.PostAsync("/v1/completions", TestServer.Completion(more)));
            Assert.Equal(JsonValueKind.Null, none.GetProperty("logprobs").ValueKind);
        }

        // Of a stream the one that says how the choice ended.
        static async Task<JsonElement> ChoiceAsync(HttpResponseMessage response)
        {
            var body = await response.Content.ReadAsStringAsync();
            if (body.StartsWith("data: ", StringComparison.Ordinal)) body = body.Split("\n\n")[^3]["data: ".Length..];
            return JsonDocument.Parse(body).RootElement.GetProperty("choices")[0];
        }
    }

    [Theory]
    [InlineData(InferenceErrorKind.InvalidRequest, 400, "invalid_value")]
    [InlineData(InferenceErrorKind.ModelNotFound, 404, "model_not_found")]
    [InlineData(InferenceErrorKind.ContextLengthExceeded, 400, "context_length_exceeded")]
    [InlineData(InferenceErrorKind.OutOfMemory, 400, "out_of_memory")]
    [InlineData(InferenceErrorKind.Cancelled, 400, "cancelled")]
    [InlineData(InferenceErrorKind.DeadlineExceeded, 400, "deadline_exceeded")]
    public Task A_refusal_has_the_right_status_streamed_or_not(InferenceErrorKind kind, int status, string code) => RefusedAsync(kind, status, code);

    protected async Task RefusedAsync(InferenceErrorKind kind, int status, string code)
    {
        InferenceError error = new(kind, "secret-free words", null, kind == InferenceErrorKind.QueueFull ? TimeSpan.FromSeconds(2.5) : null);
        await using var server = await StartAsync(FakeInference.Of(new InferenceEvent.Failed(error)));
        foreach (var more in (string[])["", ",\"stream\":true"])
        {
            var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(more));
            var body = (await TestServer.JsonAsync(response)).GetProperty("error");
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(code, body.GetProperty("code").GetString());
            Assert.Equal(kind is InferenceErrorKind.Cancelled or InferenceErrorKind.DeadlineExceeded, response.Headers.Contains("x-should-retry"));
            Assert.Equal(kind != InferenceErrorKind.Internal, body.GetProperty("message").GetString() == "secret-free words");
            if (status is 429) Assert.Equal("3", response.Headers.GetValues("Retry-After").Single());
            if (status is 503) Assert.Equal("1", response.Headers.GetValues("Retry-After").Single());
        }
    }
}
