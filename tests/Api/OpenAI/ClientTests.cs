#pragma warning disable OPENAI001 // Parts of the official SDK are marked experimental; that is its business, not ours.
using System.ClientModel;
using System.Text.Json;
using Microsoft.Extensions.AI;
using OpenAI;
using R1Serverless.Abstractions;
using R1Serverless.Tests.Hosting;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using ChatRole = Microsoft.Extensions.AI.ChatRole;

namespace R1Serverless.Tests.Api.OpenAI;

/// <summary>The clients that people use, unchanged and with their own defaults, how often they try again among these: what has ended is asked for
/// once.</summary>
public sealed class ClientTests
{
    [Fact]
    public async Task The_openai_client_for_node()
    {
        var inference = Answering();
        await using var server = await TestServer.StartAsync(inference);
        var seen = await RunAsync("openai.mjs", server);
        foreach (var name in (string[])["chat", "again", "response", "final"]) Assert.Equal("42", seen.GetProperty(name).GetString());
        Assert.Equal("""{"text":"42","reasoning":"thinking"}""", seen.GetProperty("streamed").GetRawText());
        Assert.Equal(4, seen.GetProperty("texts").GetArrayLength());
        Assert.Equal("""["reasoning","message"]""", seen.GetProperty("types").GetRawText());
        Assert.Equal(9, seen.GetProperty("total").GetInt32());
        Assert.Equal("""["BadRequestError",400,"deadline_exceeded"]""", seen.GetProperty("late").GetRawText());
        Assert.Equal("""["BadRequestError",400,"cancelled"]""", seen.GetProperty("cancelled").GetRawText());
        AssertOnce(inference);
    }

    [Fact]
    public async Task The_ai_sdk()
    {
        var inference = Answering();
        await using var server = await TestServer.StartAsync(inference);
        var seen = await RunAsync("ai-sdk.mjs", server);
        foreach (var name in (string[])["text", "talk", "chat"]) Assert.Equal("42", seen.GetProperty(name).GetString());
        Assert.Equal(("stop", "thinking", "thinking42", 9), (
            seen.GetProperty("finish").GetString(), seen.GetProperty("reasoning").GetString(), seen.GetProperty("completion").GetString(),
            seen.GetProperty("total").GetInt32()));
        Assert.Equal("""{"text":"42","reasoning":"thinking","errors":[],"total":9}""", seen.GetProperty("streamed").GetRawText());
        Assert.Equal("42", seen.GetProperty("chatStreamed").GetProperty("text").GetString());
        Assert.Equal("""["AI_APICallError",400,"deadline_exceeded"]""", seen.GetProperty("late").GetRawText());
        Assert.Equal("""["AI_APICallError",400,"cancelled"]""", seen.GetProperty("cancelled").GetRawText());
        AssertOnce(inference);
    }

    [Fact]
    public async Task LangChain()
    {
        var inference = Answering();
        await using var server = await TestServer.StartAsync(inference);
        var seen = await RunAsync("langchain.mjs", server);
        foreach (var name in (string[])["text", "again", "streamed", "responses"]) Assert.Equal("42", seen.GetProperty(name).GetString());
        Assert.Equal("""["42","42"]""", seen.GetProperty("batch").GetRawText());
        Assert.Equal(("thinking42", 9), (seen.GetProperty("completion").GetString(), seen.GetProperty("total").GetInt32()));
        Assert.Equal("""[400,"deadline_exceeded"]""", seen.GetProperty("late").GetRawText());
        Assert.Equal("""[400,"cancelled"]""", seen.GetProperty("cancelled").GetRawText());
        AssertOnce(inference);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Microsoft_extensions_ai(bool usesResponses)
    {
        var inference = Answering();
        await using var server = await TestServer.StartAsync(inference);
        OpenAIClient openAi = new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(server.Client.BaseAddress!, "/v1") });
        using var client = usesResponses
            ? openAi.GetResponsesClient().AsIChatClient(TestServer.Model)
            : openAi.GetChatClient(TestServer.Model).AsIChatClient();
        List<ChatMessage> talk = [new(ChatRole.User, "6 * 7?")];
        var cancellation = TestContext.Current.CancellationToken;
        var answer = await client.GetResponseAsync(talk, cancellationToken: cancellation);
        Assert.Equal(("42", 9L), (answer.Text, answer.Usage!.TotalTokenCount));
        // Its own messages go back as they came.
        talk.AddRange(answer.Messages);
        talk.Add(new(ChatRole.User, "sure?"));
        var streamed = "";
        await foreach (var update in client.GetStreamingResponseAsync(talk, cancellationToken: cancellation)) streamed += update.Text;
        Assert.Equal("42", streamed);
        foreach (var end in (string[])["late", "cancelled"])
        {
            var fault = await Assert.ThrowsAsync<ClientResultException>(() => client.GetResponseAsync(end, cancellationToken: cancellation));
            Assert.Equal(400, fault.Status);
        }

        AssertOnce(inference);
    }

    /// <summary>Answers 42, but to a question that is one of the ends of a request.</summary>
    private static FakeInference Answering() => new((request, stop) => Asked(request) switch
    {
        "late" => Failing(InferenceErrorKind.DeadlineExceeded).RunAsync(request, stop),
        "cancelled" => Failing(InferenceErrorKind.Cancelled).RunAsync(request, stop),
        _ => FakeInference.Thoughtful()
            .RunAsync(request.Prompt is Prompt.List list ? request with { Choices = request.Choices * list.Prompts.Count } : request, stop),
    });

    private static FakeInference Failing(InferenceErrorKind kind) => FakeInference.Of(new InferenceEvent.Failed(new InferenceError(kind, "Over.")));

    private static string? Asked(InferenceRequest request) => (request.Prompt as Prompt.Chat)?.Messages[^1].Content;

    private static void AssertOnce(FakeInference inference)
    {
        foreach (var end in (string[])["late", "cancelled"]) Assert.Single(inference.Requests, request => Asked(request) == end);
    }

    private static Task<JsonElement> RunAsync(string script, TestServer server) =>
        NodeScript.RunAsync(script, new Uri(server.Client.BaseAddress!, "/v1").ToString(), TestServer.Model);
}
