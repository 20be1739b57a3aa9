#pragma warning disable OPENAI001 // Parts of the official SDK are marked experimental; that is its business, not ours.
using System.ClientModel;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using R1Serverless.Abstractions;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.OpenAI;

/// <summary>The official client against a server of one process.</summary>
public sealed class DirectOpenAiSdkTests : OpenAiSdkTests
{
    internal override Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null) => TestServer.StartAsync(inference, options);
}

/// <summary>And against a gateway with its worker behind a queue.</summary>
public sealed class QueuedOpenAiSdkTests : OpenAiSdkTests
{
    internal override Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null) =>
        TestServer.StartApartAsync(inference, options);
}

/// <summary>What the official client can read, others can.</summary>
public abstract class OpenAiSdkTests
{
    internal abstract Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null);

    [Fact]
    public async Task It_reads_an_answer_with_usage_and_logprobs()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        ChatCompletion answer = await Client(server).GetChatClient(TestServer.Model).CompleteChatAsync(
            [new SystemChatMessage("s"), new UserChatMessage("6 * 7?"), new AssistantChatMessage("42"), new UserChatMessage("sure?")],
            new ChatCompletionOptions
            {
                Temperature = 0, MaxOutputTokenCount = 20, IncludeLogProbabilities = true, TopLogProbabilityCount = 2,
                EndUserId = "u"
            });
        Assert.Equal("42", Assert.Single(answer.Content).Text);
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.Equal((5, 4, 9, 2),
            (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount,
            answer.Usage.OutputTokenDetails.ReasoningTokenCount));
        Assert.Equal(["think", "ing", "42"], answer.ContentTokenLogProbabilities.Select(token => token.Token));
    }

    [Fact]
    public async Task It_reads_a_stream_with_usage()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        (var text, ChatFinishReason? reason, ChatTokenUsage? usage) = ("", null, null);
        await foreach (var update in Client(server).GetChatClient(TestServer.Model).CompleteChatStreamingAsync(new UserChatMessage("6 * 7?")))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            reason = update.FinishReason ?? reason;
            usage = update.Usage ?? usage;
        }

        Assert.Equal(("42", ChatFinishReason.Stop, 9), (text, reason, usage?.TotalTokenCount));
    }

    [Fact]
    public async Task It_lists_models()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        OpenAIModelCollection models = await Client(server).GetOpenAIModelClient().GetModelsAsync();
        Assert.Equal(TestServer.Model, Assert.Single(models).Id);
        OpenAIModel model = await Client(server).GetOpenAIModelClient().GetModelAsync(TestServer.Model);
        Assert.Equal("r1-serverless", model.OwnedBy);
    }

    [Fact]
    public async Task It_reads_errors_with_their_status_and_message()
    {
        InferenceError error = new(InferenceErrorKind.ModelNotFound, "no such model");
        await using var server = await StartAsync(FakeInference.Of(new InferenceEvent.Failed(error)));
        var fault = await Assert.ThrowsAsync<ClientResultException>(
            () => Client(server).GetChatClient(TestServer.Model).CompleteChatAsync(new UserChatMessage("hi")));
        Assert.Equal(404, fault.Status);
        Assert.Contains("no such model", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_key_opens_the_api()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful(), new ServeOptions { ApiKeys = ["sdk-key"] });
        Assert.Single((await Client(server, "sdk-key").GetOpenAIModelClient().GetModelsAsync()).Value);
        var fault = await Assert.ThrowsAsync<ClientResultException>(() => Client(server, "wrong").GetOpenAIModelClient().GetModelsAsync());
        Assert.Equal(401, fault.Status);
    }

    private static OpenAIClient Client(TestServer server, string key = "none") => new(
        new ApiKeyCredential(key),
        new OpenAIClientOptions
        {
            Endpoint = new Uri(server.Client.BaseAddress!, "/v1"),
            RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0)
        });
}
