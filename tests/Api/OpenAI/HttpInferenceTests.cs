using System.Net;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Client;
using R1Serverless.Commands;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.OpenAI;

public sealed class HttpInferenceTests
{
    [Fact]
    public async Task A_request_arrives_as_it_was_sent()
    {
        var engine = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(engine);
        using var arguments = System.Text.Json.JsonDocument.Parse("""{"a":[1,"é"]}""");
        InferenceRequest sent = new()
        {
            Id = RequestId.New(),
            Model = TestServer.Model,
            Prompt = new Prompt.Chat(
                [new(ChatRole.System, "be \"brief\""), new(ChatRole.User, "思考?\n"), new(ChatRole.Assistant, "ja"), new(ChatRole.User, "?")])
            {
                ReasoningEffort = "none", TemplateArguments = arguments.RootElement,
            },
            MaxTokens = 77,
            Precision = new PrecisionPreference(Precision.Int4, 0.25),
            Choices = 2,
            IgnoreEndOfSequence = true,
            Stop = ["END", "\n\n"],
            Sampling = new SamplingOptions
            {
                Temperature = 0.3f, TopP = 0.9f, TopK = 12, MinP = 0.05f, RepetitionPenalty = 1.1f, Seed = -9, FrequencyPenalty = 0.5f,
                PresencePenalty = -0.25f,
                LogitBias = new Dictionary<int, float> { [4] = -100, [9] = 1.5f },
            },
        };

        await RunAsync(server, sent);

        var got = Assert.Single(engine.Requests);
        Assert.Equal(((Prompt.Chat)sent.Prompt).Messages, ((Prompt.Chat)got.Prompt).Messages);
        Assert.Equal(("none", """{"a":[1,"é"]}"""),
            (((Prompt.Chat)got.Prompt).ReasoningEffort, ((Prompt.Chat)got.Prompt).TemplateArguments?.GetRawText()));
        Assert.Equal(sent.Stop, got.Stop);
        Assert.Equal(sent.Sampling.LogitBias, got.Sampling.LogitBias.ToDictionary());
        Assert.Equal(sent.Sampling with { LogitBias = got.Sampling.LogitBias }, got.Sampling);
        Assert.Equal(sent.Precision, got.Precision);
        Assert.Equal((77, 2, true), (got.MaxTokens, got.Choices, got.IgnoreEndOfSequence));
    }

    [Theory]
    [InlineData(null, Precision.Int8, true)]
    [InlineData("auto", null, false)]
    [InlineData("int4", Precision.Int4, false)]
    public async Task A_precision_that_is_named_goes_before_the_servers_default_auto_too(string? named, Precision? expected, bool isServerDefault)
    {
        var engine = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(engine, new ServeOptions { Precision = Precision.Int8 });
        await RunAsync(server, Ask(new Prompt.Text("?")) with { Precision = ChatCommand.ReadWish(named) });
        Assert.Equal(new PrecisionPreference(expected) { IsServerDefault = isServerDefault }, Assert.Single(engine.Requests).Precision);
    }

    [Fact]
    public async Task The_events_come_back_but_for_the_admission()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var events = await RunAsync(server, Ask(new Prompt.Chat([new(ChatRole.User, "6 * 7?")])));
        Assert.Equal(
        [
            new InferenceEvent.Delta(0, DeltaKind.Reasoning, "think"),
            new InferenceEvent.Delta(0, DeltaKind.Reasoning, "ing"),
            new InferenceEvent.Delta(0, DeltaKind.Answer, "42"),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Stop),
            new InferenceEvent.Finished(new Usage(5, 4, 2) { CachedTokens = 3 }),
        ],
        events);
    }

    [Fact]
    public async Task Raw_prompts_go_to_the_raw_api()
    {
        var engine = FakeInference.Of(
            new InferenceEvent.Admitted(2, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Answer, " 42"),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Length),
            new InferenceEvent.Finished(new Usage(2, 1, 0)));
        await using var server = await TestServer.StartAsync(engine);
        var events = await RunAsync(server, Ask(new Prompt.Text("6 * 7 =")));
        Assert.Equal(new InferenceEvent.Delta(0, DeltaKind.Answer, " 42"), events[0]);
        Assert.Equal(new InferenceEvent.ChoiceFinished(0, FinishReason.Length), events[1]);
        await RunAsync(server, Ask(new Prompt.Tokens([5, 6])));
        Assert.Equal(new Prompt.Text("6 * 7 ="), engine.Requests[0].Prompt);
        Assert.Equal([5, 6], ((Prompt.Tokens)engine.Requests[1].Prompt).Ids);
    }

    [Theory]
    [InlineData(InferenceErrorKind.InvalidRequest)]
    [InlineData(InferenceErrorKind.ModelNotFound)]
    [InlineData(InferenceErrorKind.ContextLengthExceeded)]
    [InlineData(InferenceErrorKind.QueueFull)]
    [InlineData(InferenceErrorKind.OutOfMemory)]
    [InlineData(InferenceErrorKind.Unavailable)]
    [InlineData(InferenceErrorKind.Internal)]
    public async Task Every_kind_of_error_keeps_its_kind(InferenceErrorKind kind)
    {
        var retry = kind is InferenceErrorKind.QueueFull ? TimeSpan.FromSeconds(7) : (TimeSpan?)null;
        await using var server =
            await TestServer.StartAsync(FakeInference.Of(new InferenceEvent.Failed(new InferenceError(kind, "because", RetryAfter: retry))));
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await RunAsync(server, Ask(new Prompt.Text("x")))));
        Assert.Equal(kind, failed.Error.Kind);
        if (retry is not null) Assert.Equal(retry, failed.Error.RetryAfter);
    }

    [Fact]
    public async Task A_failure_in_the_middle_of_a_stream_ends_it()
    {
        var engine = FakeInference.Of(
            new InferenceEvent.Admitted(2, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Answer, "4"),
            new InferenceEvent.Failed(new(InferenceErrorKind.OutOfMemory, "too long")));
        await using var server = await TestServer.StartAsync(engine);
        var events = await RunAsync(server, Ask(new Prompt.Text("x")));
        Assert.Equal(InferenceErrorKind.OutOfMemory, Assert.IsType<InferenceEvent.Failed>(events[^1]).Error.Kind);
        Assert.Equal(2, events.Count);
    }

    [Fact]
    public async Task Cancelling_reaches_the_server()
    {
        var engine = new FakeInference((_, token) => Endless(token));
        await using var server = await TestServer.StartAsync(engine);
        using var inference = HttpInference.Connect(server.Client.BaseAddress!, null);
        using CancellationTokenSource stop = new();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var inferenceEvent in inference.RunAsync(Ask(new Prompt.Text("x")), stop.Token))
            {
                if (inferenceEvent is InferenceEvent.Delta) await stop.CancelAsync();
            }
        });
        await engine.Cancelled.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task The_key_is_sent_and_the_path_may_end_in_v1()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { ApiKeys = ["secret"] });
        using var inference = HttpInference.Connect(new Uri(server.Client.BaseAddress!, "v1/"), "secret");
        Assert.IsType<InferenceEvent.Finished>((await CollectAsync(inference, Ask(new Prompt.Text("x"))))[^1]);
        using var stranger = HttpInference.Connect(server.Client.BaseAddress!, "guess");
        Assert.IsType<InferenceEvent.Failed>(Assert.Single(await CollectAsync(stranger, Ask(new Prompt.Text("x")))));
    }

    [Theory]
    [InlineData("data: {\"choices\":[{\"index\":0,\"text\":\"4\"}]}\n\n", "ended")]
    [InlineData("data: nonsense\n\n", "not JSON")]
    [InlineData("", "ended")]
    [InlineData("data: {\"choices\":[{\"index\":\"0\",\"text\":\"4\"}]}\n\n", "'index'")]
    [InlineData("data: {\"choices\":[{\"index\":1e99,\"text\":\"4\"}]}\n\n", "'index'")]
    [InlineData("data: {\"choices\":[{\"index\":-1,\"text\":\"4\"}]}\n\n", "'index'")]
    [InlineData("data: {\"choices\":[{\"text\":4}]}\n\n", "'text'")]
    [InlineData("data: {\"choices\":[{\"delta\":{\"content\":[]}}]}\n\n", "'content'")]
    [InlineData("data: {\"choices\":[{\"delta\":{\"reasoning\":{}}}]}\n\n", "'reasoning'")]
    [InlineData("data: {\"choices\":[{\"finish_reason\":true}]}\n\n", "'finish_reason'")]
    [InlineData("data: {\"choices\":{\"0\":{}}}\n\n", "'choices' is not a list")]
    [InlineData("data: {\"usage\":{\"prompt_tokens\":\"many\"}}\n\n", "'prompt_tokens'")]
    [InlineData("data: {\"choices\":[{\"text\":\"\\ud800\"}]}\n\n", "'text'")]
    public async Task A_stream_that_breaks_off_is_a_failure(string body, string says)
    {
        using HttpInference inference = new(new HttpClient(new Canned(HttpStatusCode.OK, body)) { BaseAddress = new Uri("http://canned/") });
        var failed = Assert.IsType<InferenceEvent.Failed>((await CollectAsync(inference, Ask(new Prompt.Text("x"))))[^1]);
        Assert.Equal(InferenceErrorKind.Internal, failed.Error.Kind);
        Assert.Contains(says, failed.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxys_page_is_judged_by_its_status()
    {
        using HttpInference inference =
            new(new HttpClient(new Canned(HttpStatusCode.BadGateway, "<html>")) { BaseAddress = new Uri("http://canned/") });
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await CollectAsync(inference, Ask(new Prompt.Text("x")))));
        Assert.Equal(InferenceErrorKind.Unavailable, failed.Error.Kind);
    }

    [Fact]
    public async Task No_server_is_a_failure_that_names_the_address()
    {
        using var inference = HttpInference.Connect(new Uri("http://127.0.0.1:1"), null);
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await CollectAsync(inference, Ask(new Prompt.Text("x")))));
        Assert.Equal(InferenceErrorKind.Unavailable, failed.Error.Kind);
        Assert.Contains("127.0.0.1:1", failed.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Probabilities_are_refused_instead_of_forgotten()
    {
        using var inference = HttpInference.Connect(new Uri("http://127.0.0.1:1"), null);
        await Assert.ThrowsAsync<NotSupportedException>(() => CollectAsync(inference, Ask(new Prompt.Text("x")) with { TopLogprobs = 1 }));
    }

    private static InferenceRequest Ask(Prompt prompt) => new() { Id = RequestId.New(), Model = TestServer.Model, Prompt = prompt };

    private static async Task<List<InferenceEvent>> RunAsync(TestServer server, InferenceRequest request)
    {
        using var inference = HttpInference.Connect(server.Client.BaseAddress!, null);
        return await CollectAsync(inference, request);
    }

    private static async Task<List<InferenceEvent>> CollectAsync(HttpInference inference, InferenceRequest request)
    {
        List<InferenceEvent> events = [];
        await foreach (var inferenceEvent in inference.RunAsync(request, TestContext.Current.CancellationToken)) events.Add(inferenceEvent);
        return events;
    }

    private static async IAsyncEnumerable<InferenceEvent> Endless([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
    {
        yield return new InferenceEvent.Admitted(1, FakeInference.Variant);
        yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "x");
        await Task.Delay(Timeout.Infinite, token);
    }

    private sealed class Canned(HttpStatusCode status, string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8, "text/event-stream") });
    }
}
