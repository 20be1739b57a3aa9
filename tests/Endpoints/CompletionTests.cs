using System.Net;
using System.Text.Json;
using R1Serverless.Requests;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Endpoints;

public sealed class DirectCompletionTests : CompletionTests
{
    // Behind a queue these are tried again instead, and only told if no delivery ends better.
    [Theory]
    [InlineData(InferenceErrorKind.QueueFull, 429, "queue_full")]
    [InlineData(InferenceErrorKind.Unavailable, 503, "unavailable")]
    [InlineData(InferenceErrorKind.Internal, 500, "internal_error")]
    public Task A_refusal_that_may_pass_has_the_right_status_streamed_or_not(InferenceErrorKind kind, int status, string code) => RefusedAsync(kind, status, code);

    [Fact]
    public async Task An_engine_that_throws_gives_500_with_the_request_id_and_no_details()
    {
        FakeInference inference = new((_, _) => throw new InvalidOperationException("a detail"));
        await using TestServer server = await TestServer.StartAsync(inference);
        HttpResponseMessage response = await server.PostAsync("/v1/chat/completions", TestServer.Chat());
        string body = await response.Content.ReadAsStringAsync();
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
        await using TestServer server = await StartAsync(FakeInference.Thoughtful());
        HttpResponseMessage response = await server.PostAsync("/v1/chat/completions", TestServer.Chat());
        JsonElement answer = await TestServer.JsonAsync(response);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.StartsWith("chatcmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        JsonElement choice = Assert.Single(answer.GetProperty("choices").EnumerateArray());
        JsonElement message = choice.GetProperty("message");
        Assert.Equal("42", message.GetProperty("content").GetString());
        Assert.Equal("thinking", message.GetProperty("reasoning_content").GetString());
        Assert.Equal("thinking", message.GetProperty("reasoning").GetString());
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        JsonElement usage = answer.GetProperty("usage");
        Assert.Equal(5, usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(9, usage.GetProperty("total_tokens").GetInt32());
        Assert.Equal(2, usage.GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32());
    }

    [Fact]
    public async Task A_text_completion_is_one_text_with_the_reasoning_in_it()
    {
        await using TestServer server = await StartAsync(FakeInference.Thoughtful());
        JsonElement answer = await TestServer.JsonAsync(await server.PostAsync("/v1/completions", TestServer.Completion(",\"n\":2,\"logprobs\":2")));
        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray()];
        Assert.Equal(2, choices.Length);
        Assert.All(choices, choice => Assert.Equal("thinking42", choice.GetProperty("text").GetString()));
        JsonElement logprobs = choices[1].GetProperty("logprobs");
        Assert.Equal([0, 5, 8], logprobs.GetProperty("text_offset").EnumerateArray().Select(one => one.GetInt32()));
        Assert.Equal(-9999, logprobs.GetProperty("top_logprobs")[2].GetProperty("421").GetSingle());
    }

    [Fact]
    public async Task Chat_logprobs_have_tokens_bytes_and_alternatives()
    {
        await using TestServer server = await StartAsync(FakeInference.Thoughtful());
        HttpResponseMessage response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"logprobs\":true,\"top_logprobs\":2"));
        JsonElement tokens = (await TestServer.JsonAsync(response)).GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content");
        Assert.Equal(["think", "ing", "42"], tokens.EnumerateArray().Select(token => token.GetProperty("token").GetString()));
        Assert.Equal([52, 50], tokens[2].GetProperty("bytes").EnumerateArray().Select(one => one.GetInt32()));
        Assert.Equal(2, tokens[2].GetProperty("top_logprobs").GetArrayLength());
    }

    [Theory]
    [InlineData(InferenceErrorKind.InvalidRequest, 400, "invalid_value")]
    [InlineData(InferenceErrorKind.ModelNotFound, 404, "model_not_found")]
    [InlineData(InferenceErrorKind.ContextLengthExceeded, 400, "context_length_exceeded")]
    [InlineData(InferenceErrorKind.OutOfMemory, 400, "out_of_memory")]
    public Task A_refusal_has_the_right_status_streamed_or_not(InferenceErrorKind kind, int status, string code) => RefusedAsync(kind, status, code);

    protected async Task RefusedAsync(InferenceErrorKind kind, int status, string code)
    {
        InferenceError error = new(kind, "secret-free words", null, kind == InferenceErrorKind.QueueFull ? TimeSpan.FromSeconds(2.5) : null);
        await using TestServer server = await StartAsync(FakeInference.Of(new InferenceEvent.Failed(error)));
        foreach (string more in (string[])["", ",\"stream\":true"])
        {
            HttpResponseMessage response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(more));
            JsonElement body = (await TestServer.JsonAsync(response)).GetProperty("error");
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(code, body.GetProperty("code").GetString());
            Assert.Equal(kind != InferenceErrorKind.Internal, body.GetProperty("message").GetString() == "secret-free words");
            if (status is 429) Assert.Equal("3", response.Headers.GetValues("Retry-After").Single());
            if (status is 503) Assert.Equal("1", response.Headers.GetValues("Retry-After").Single());
        }
    }
}
