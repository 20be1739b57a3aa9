using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Api;
using R1Serverless.Api.Endpoints;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Auth;

public sealed class RateLimitTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Requests_per_minute_refill_evenly()
    {
        RateLimits rates = new(_time);
        Caller caller = new("a", "a", AccessScopes.Inference, new KeyLimits(RequestsPerMinute: 30));
        HeaderDictionary headers = [];
        for (var left = 29; left >= 0; left--)
        {
            Assert.Null(rates.TryEnter(caller, headers));
            Assert.Equal(("30", $"{left}"), (headers["x-ratelimit-limit-requests"].ToString(), headers["x-ratelimit-remaining-requests"].ToString()));
        }

        Assert.Equal("1m0s", headers["x-ratelimit-reset-requests"]);
        var refusal = rates.TryEnter(caller, headers);
        Assert.Equal((429, "request_limit_exceeded", TimeSpan.FromSeconds(2)), (refusal!.Status, refusal.Code, refusal.RetryAfter));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(rates.TryEnter(caller, headers));
        Assert.NotNull(rates.TryEnter(caller, headers));
        // Another caller has its own, and one without limits none.
        Assert.Null(rates.TryEnter(caller with { Owner = "b" }, headers));
        HeaderDictionary none = [];
        Assert.Null(rates.TryEnter(caller with { Limits = KeyLimits.None }, none));
        Assert.Empty(none);
        // A limit that was raised counts at once; a rest never exceeds a minute's worth.
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Null(rates.TryEnter(caller with { Limits = new KeyLimits(RequestsPerMinute: 600) }, headers));
        Assert.Equal("599", headers["x-ratelimit-remaining-requests"]);
        Assert.Equal("100ms", headers["x-ratelimit-reset-requests"]);
    }

    [Fact]
    public void Tokens_are_charged_afterwards_and_may_be_overdrawn()
    {
        RateLimits rates = new(_time);
        Caller caller = new("a", "a", AccessScopes.Inference, new KeyLimits(TokensPerMinute: 60));
        HeaderDictionary headers = [];
        Assert.Null(rates.TryEnter(caller, headers));
        rates.Charge(caller, 90);
        var refusal = rates.TryEnter(caller, headers);
        Assert.Equal(("token_limit_exceeded", TimeSpan.FromSeconds(31)), (refusal!.Code, refusal.RetryAfter));
        Assert.Equal(("0", "1m30s"), (headers["x-ratelimit-remaining-tokens"].ToString(), headers["x-ratelimit-reset-tokens"].ToString()));
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.Null(rates.TryEnter(caller, headers));
        Assert.Equal("1", headers["x-ratelimit-remaining-tokens"]);
    }

    [Theory]
    [InlineData(false, "51")]
    [InlineData(true, "60")]
    public async Task Who_is_told_another_calls_answer_is_not_charged_which_is_known_at_its_end(bool isFree, string left)
    {
        RateLimits rates = new(_time);
        Caller caller = new("a", "a", AccessScopes.Inference, new KeyLimits(TokensPerMinute: 60));
        DefaultHttpContext context = new();
        RequestIdentity.SetCaller(context, caller);
        HeaderDictionary headers = [];
        Assert.Null(rates.TryEnter(caller, headers));
        bool? isKnown = null;
        InferenceRequest request = new() { Id = RequestId.New(), Model = "m", Prompt = new Prompt.Text("") };
        await foreach (var _ in new TokenMeter(rates).Follow(context, FakeInference.Thoughtful().RunAsync(request, default), () => isKnown!.Value,
            default)) isKnown = isFree;
        Assert.Null(rates.TryEnter(caller, headers));
        Assert.Equal(left, headers["x-ratelimit-remaining-tokens"]);
    }

    [Fact]
    public async Task Over_http_a_call_too_many_is_429_and_reading_is_free()
    {
        FakeKeySource source =
            new() { Keys = [KeyRingTests.Key("app", "one") with { Limits = new KeyLimits(RequestsPerMinute: 2, TokensPerMinute: 1000) }] };
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { Keys = source }, _time);
        long before = 1000;
        for (var i = 0; i < 2; i++)
        {
            var answer = await server.Client.SendAsync(Ask(""));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var left = Left(answer, "tokens");
            var usage = (await TestServer.JsonAsync(answer)).GetProperty("usage");
            Assert.Equal(before, left);
            before -= usage.GetProperty("total_tokens").GetInt32();
        }

        var refused = await server.Client.SendAsync(Ask(",\"stream\":true"));
        Assert.Equal((HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(30)), (refused.StatusCode, refused.Headers.RetryAfter?.Delta));
        Assert.Equal((0, before), (Left(refused, "requests"), Left(refused, "tokens")));
        Assert.Equal("rate_limit_error", (await TestServer.JsonAsync(refused)).GetProperty("error").GetProperty("type").GetString());
        HttpRequestMessage read = new(HttpMethod.Get, "/v1/models") { Headers = { { "Authorization", "Bearer one" } } };
        var models = await server.Client.SendAsync(read);
        Assert.Equal(HttpStatusCode.OK, models.StatusCode);
        Assert.False(models.Headers.Contains("x-ratelimit-limit-requests"));
    }

    private static long Left(HttpResponseMessage response, string what) =>
        long.Parse(response.Headers.GetValues("x-ratelimit-remaining-" + what).Single());

    private static HttpRequestMessage Ask(string more)
    {
        var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat(more)));
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer one");
        return request;
    }
}
