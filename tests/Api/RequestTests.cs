using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed class DirectRequestTests : RequestTests
{
    internal override Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null) => TestServer.StartAsync(inference, options);

    [Fact]
    public async Task What_nobody_comes_back_for_leaves_nothing()
    {
        await using var server = await OpenAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync(Path, TestServer.Chat());
        Assert.False(response.Headers.Contains("x-r1-request-id"));
    }
}

/// <summary>Clients that come back for their answers.</summary>
public abstract class RequestTests
{
    protected const string Path = "/v1/chat/completions";

    private static readonly ServeOptions Keyed = new() { ApiKeys = ["one", "two"] };

    internal abstract Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null);

    [Fact]
    public async Task A_client_that_asks_for_it_gets_the_place_to_come_back_to()
    {
        await using var server = await OpenAsync(FakeInference.Thoughtful());
        var accepted = await PostAsync(server, TestServer.Chat(), ("Prefer", "wait=5, Respond-Async;x=1"));
        var record = await TestServer.JsonAsync(accepted);
        var id = record.GetProperty("id").GetString()!;
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        Assert.Equal($"/v1/requests/{id}", accepted.Headers.Location!.ToString());
        Assert.Equal(("respond-async", id), (Header(accepted, "Preference-Applied"), Header(accepted, "x-r1-request-id")));
        Assert.Equal(("request", TestServer.Model), (record.GetProperty("object").GetString(), record.GetProperty("model").GetString()));

        var ended = await EndAsync(server, id);
        Assert.Equal("finished", ended.GetProperty("status").GetString());
        var response = ended.GetProperty("response");
        Assert.Equal($"chatcmpl-{id}", response.GetProperty("id").GetString());
        Assert.Equal("42", response.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(JsonValueKind.Null, ended.GetProperty("error").ValueKind);
    }

    [Fact]
    public async Task A_failed_request_says_why_in_the_shape_of_the_api()
    {
        await using var server =
            await OpenAsync(FakeInference.Of(new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.ContextLengthExceeded, "Too long."))));
        var ended = await EndAsync(server, Header(await PostAsync(server, TestServer.Chat(), ("Prefer", "respond-async")), "x-r1-request-id"));
        Assert.Equal("failed", ended.GetProperty("status").GetString());
        Assert.Equal(("Too long.", "messages", "context_length_exceeded"), (
            ended.GetProperty("error").GetProperty("message").GetString(), ended.GetProperty("error").GetProperty("param").GetString(),
            ended.GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Calls_with_one_key_at_one_moment_are_one_request()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await OpenAsync(inference);
        var responses = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => PostAsync(server, TestServer.Chat(), ("Idempotency-Key", "k-1"))));
        var answers = await Task.WhenAll(responses.Select(one => one.Content.ReadAsStringAsync()));
        Assert.All(responses, one => Assert.Equal(HttpStatusCode.OK, one.StatusCode));
        Assert.Single(inference.Requests);
        Assert.Single(responses.Select(one => Header(one, "x-r1-request-id")).Distinct());
        Assert.Single(answers.Select(one => one.Replace("\"variant\"", "", StringComparison.Ordinal)).Distinct());
        Assert.Equal(4, responses.Count(one => one.Headers.TryGetValues("idempotency-replayed", out var values) && values.Single() == "true"));
    }

    [Fact]
    public async Task A_key_sent_again_replays_the_answer_streamed_or_not_and_refuses_another_body()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await OpenAsync(inference);
        var stream = TestServer.Chat(",\"stream\":true");
        var first = await PostAsync(server, stream, ("Idempotency-Key", "k"));
        Assert.EndsWith("data: [DONE]\n\n", await first.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var again = await PostAsync(server, stream, ("Idempotency-Key", "k"));
        var replayed = await again.Content.ReadAsStringAsync();
        Assert.Contains("\"content\":\"42\"", replayed, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", replayed, StringComparison.Ordinal);
        Assert.Equal("true", Header(again, "idempotency-replayed"));

        var deferred = await PostAsync(server, stream, ("Idempotency-Key", "k"), ("Prefer", "respond-async"));
        Assert.Equal(HttpStatusCode.Accepted, deferred.StatusCode);
        Assert.Equal("finished", (await TestServer.JsonAsync(deferred)).GetProperty("status").GetString());

        foreach (var header in (string[])["Accept", "Prefer"])
        {
            var other = await PostAsync(server, TestServer.Chat(",\"max_tokens\":7"), ("Idempotency-Key", "k"), (header, "respond-async"));
            Assert.Equal(HttpStatusCode.UnprocessableEntity, other.StatusCode);
            Assert.Equal("idempotency_key_reused", (await TestServer.JsonAsync(other)).GetProperty("error").GetProperty("code").GetString());
        }

        Assert.Single(inference.Requests);
    }

    [Theory]
    [InlineData("a b")]
    [InlineData(null)]
    public async Task A_key_that_is_none_is_refused(string? key)
    {
        await using var server = await OpenAsync(FakeInference.Thoughtful());
        var response = await PostAsync(server, TestServer.Chat(), ("Idempotency-Key", key ?? new string('k', 256)));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("Idempotency-Key", (await TestServer.JsonAsync(response)).GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task A_client_that_hangs_up_with_a_key_finds_its_answer_later()
    {
        TaskCompletionSource goesOn = new();
        FakeInference inference = new((_, stop) => AnswerAfterAsync(goesOn.Task.WaitAsync(stop)));
        await using var server = await OpenAsync(inference);
        var body = TestServer.Chat(",\"stream\":true");
        var cut = await PostAsync(server, body, ("Idempotency-Key", "k"));
        var id = Header(cut, "x-r1-request-id");
        cut.Dispose();
        goesOn.SetResult();
        Assert.Equal("finished", (await EndAsync(server, id)).GetProperty("status").GetString());
        Assert.Contains("late", await (await PostAsync(server, body, ("Idempotency-Key", "k"))).Content.ReadAsStringAsync(),
            StringComparison.Ordinal);
        Assert.Single(inference.Requests);
    }

    [Fact]
    public async Task A_request_can_be_taken_back_until_it_has_ended_and_by_its_owner_only()
    {
        var inference = Endless();
        await using var server = await OpenAsync(inference, Keyed);
        var id = Header(await PostAsync(server, TestServer.Chat(), ("Prefer", "respond-async"), ("Authorization", "Bearer one")),
            "x-r1-request-id");
        foreach ((var key, var of) in ((string, string)[])[("two", id), ("one", "nosuchrequest"), ("one", "..%2Fone")])
        {
            foreach (var method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Delete])
            {
                var foreign = await SendAsync(server, method, of, key);
                Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
                Assert.Equal("request_not_found", (await TestServer.JsonAsync(foreign)).GetProperty("error").GetProperty("code").GetString());
            }
        }

        for (var i = 0; i < 2; i++)
        {
            var record = await TestServer.JsonAsync(await SendAsync(server, HttpMethod.Delete, id, "one"));
            Assert.Equal(("cancelled", "cancelled"),
                (record.GetProperty("status").GetString(), record.GetProperty("error").GetProperty("code").GetString()));
        }
    }

    [Theory]
    [InlineData("\"https://hooks.example.com/\"", "webhook", "webhook_not_allowed", "--webhook-host")]
    [InlineData("{\"url\":\"https://hooks.example.com/\"}", "webhook", "webhook_not_allowed", "--webhook-host")]
    [InlineData("{\"url\":\"ftp://hooks.example.com/\"}", "webhook.url", "invalid_value", "https://")]
    [InlineData("{\"uri\":\"https://hooks.example.com/\"}", "webhook.uri", "unknown_parameter", "url")]
    [InlineData("{}", "webhook.url", "missing_required_parameter", "required")]
    [InlineData("7", "webhook", "invalid_type", "address")]
    [InlineData("\"https://user:password@hooks.example.com/\"", "webhook", "invalid_value", "without user")]
    public async Task A_webhook_that_may_not_be_is_refused_in_words(string webhook, string param, string code, string says)
    {
        await using var server = await OpenAsync(FakeInference.Thoughtful());
        var response = await PostAsync(server, TestServer.Chat($",\"webhook\":{webhook}"));
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal((param, code), (error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
        Assert.Contains(says, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(InferenceErrorKind.InvalidRequest)]
    [InlineData(InferenceErrorKind.ContextLengthExceeded)]
    [InlineData(InferenceErrorKind.OutOfMemory)]
    public async Task A_call_that_the_engine_refuses_leaves_its_key_free(InferenceErrorKind kind)
    {
        FakeInference refusing = FakeInference.Of(new InferenceEvent.Failed(new InferenceError(kind, "No."))), fine = FakeInference.Thoughtful();
        FakeInference inference = new((request, stop) => (request.MaxTokens == 7 ? refusing : fine).RunAsync(request, stop));
        await using var server = await OpenAsync(inference);
        foreach (var prefer in (string[])["wait=60", "respond-async"])
        {
            (string, string)[] headers = [("Idempotency-Key", $"k-{prefer}"), ("Prefer", prefer)];
            var refused = await PostAsync(server, TestServer.Chat(",\"max_tokens\":7"), headers);
            if (refused.StatusCode == HttpStatusCode.Accepted)
                Assert.Equal("failed", (await EndAsync(server, Header(refused, "x-r1-request-id"))).GetProperty("status").GetString());
            else Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);

            // In another form it is another call, which has the key from then on.
            var other = await PostAsync(server, TestServer.Chat(), headers);
            Assert.True(other.IsSuccessStatusCode, $"{other.StatusCode}");
            Assert.False(other.Headers.Contains("idempotency-replayed"));
            Assert.NotEqual(Header(refused, "x-r1-request-id"), Header(other, "x-r1-request-id"));
            await EndAsync(server, Header(other, "x-r1-request-id"));
            Assert.Equal("true", Header(await PostAsync(server, TestServer.Chat(), headers), "idempotency-replayed"));
        }
    }

    [Fact]
    public async Task An_unknown_model_takes_no_key()
    {
        await using var server = await OpenAsync(FakeInference.Thoughtful());
        var unknown = TestServer.Chat().Replace(TestServer.Model, "other", StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await PostAsync(server, unknown, ("Idempotency-Key", "k"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(server, TestServer.Chat(), ("Idempotency-Key", "k"))).StatusCode);
    }

    [Fact]
    public async Task A_key_has_no_more_than_it_may_in_flight_and_waiting()
    {
        TaskCompletionSource goesOn = new();
        FakeInference inference = new((_, stop) => AnswerAfterAsync(goesOn.Task.WaitAsync(stop)));
        await using var server = await OpenAsync(inference, Keyed with { MaxConcurrentPerKey = 1, MaxQueuedPerKey = 2 });
        using var running = await PostAsync(server, TestServer.Chat(",\"stream\":true"), ("Authorization", "Bearer one"));
        var second = await PostAsync(server, TestServer.Chat(), ("Authorization", "Bearer one"));
        await RefusedAsync(second, "too_many_concurrent_requests");
        using var other = await PostAsync(server, TestServer.Chat(",\"stream\":true"), ("Authorization", "Bearer two"));
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);

        var accepted = 0;
        while (true)
        {
            var response = await PostAsync(server, TestServer.Chat(), ("Prefer", "respond-async"), ("Authorization", "Bearer one"));
            if (response.StatusCode != HttpStatusCode.Accepted)
            {
                await RefusedAsync(response, "too_many_queued_requests");
                break;
            }

            accepted++;
        }

        Assert.InRange(accepted, 1, 2);
        goesOn.SetResult();
    }

    /// <summary>Starts, and waits until the queue is open.</summary>
    internal async Task<TestServer> OpenAsync(IInference inference, ServeOptions? options = null)
    {
        var server = await StartAsync(inference, options);
        await Eventually.HoldsAsync(
            async () => (await SendAsync(server, HttpMethod.Get, "none", "one")).StatusCode != HttpStatusCode.ServiceUnavailable,
            () => $"the queue; {server.Errors}");
        return server;
    }

    internal static FakeInference Endless() => new((_, stop) => AnswerAfterAsync(Task.Delay(Timeout.Infinite, stop)));

    internal static string Header(HttpResponseMessage response, string name) => Assert.Single(response.Headers.GetValues(name));

    /// <summary>The record once the request has ended.</summary>
    internal static async Task<JsonElement> EndAsync(TestServer server, string id)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (true)
        {
            var record = await TestServer.JsonAsync(await SendAsync(server, HttpMethod.Get, id, "one"));
            if (record.GetProperty("status").GetString() != "queued") return record;
            limit.Token.ThrowIfCancellationRequested();
        }
    }

    private static async Task RefusedAsync(HttpResponseMessage response, string code)
    {
        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.True(response.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        Assert.Equal(code, (await TestServer.JsonAsync(response)).GetProperty("error").GetProperty("code").GetString());
    }

    private static async IAsyncEnumerable<InferenceEvent> AnswerAfterAsync(Task goesOn)
    {
        yield return new InferenceEvent.Admitted(5, FakeInference.Variant);
        yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "early and ");
        await goesOn;
        yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "late");
        yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Stop);
        yield return new InferenceEvent.Finished(new Usage(5, 2, 0));
    }

    private static Task<HttpResponseMessage> SendAsync(TestServer server, HttpMethod method, string id, string key) => server.Client.SendAsync(
        new HttpRequestMessage(method, $"/v1/requests/{id}") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", key) } });

    internal static Task<HttpResponseMessage> PostAsync(TestServer server, string body, params (string Name, string Value)[] headers)
    {
        var request = TestServer.Post(Path, Encoding.UTF8.GetBytes(body));
        foreach ((var name, var value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
