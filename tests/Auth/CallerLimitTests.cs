using R1Serverless.Api.Dispatch;
using R1Serverless.Auth;
using R1Serverless.Queues.Gateway;
using R1Serverless.Serving;
using R1Serverless.Tests.Api;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Auth;

/// <summary>How much one key may have at once.</summary>
public sealed class CallerLimitTests
{
    [Fact]
    public void A_keys_own_limits_go_before_those_of_every_key_and_change_with_the_keys()
    {
        ApiKey own = KeyRingTests.Key("own", "one") with { Limits = new KeyLimits(MaxConcurrent: 5_000, MaxQueued: 7) },
            usual = KeyRingTests.Key("usual", "two");
        ActiveKeys keys = new([], hasSource: true);
        keys.Set([own, usual]);
        ServeOptions options = new() { Keys = new FakeKeySource(), MaxConcurrentPerKey = 10, MaxQueuedPerKey = 20 };
        CallerLimits limits = new(options, keys);
        Assert.Equal((5_000, 7), (limits.MaxConcurrent(own.Id), limits.MaxQueued(own.Id)));
        Assert.Equal((10, 20), (limits.MaxConcurrent(usual.Id), limits.MaxQueued(usual.Id)));
        Assert.Equal((10, 20), (limits.MaxConcurrent("0123456789abcdef"), limits.MaxQueued("0123456789abcdef")));
        keys.Set([own with { Limits = new KeyLimits(MaxConcurrent: 1) }]);
        Assert.Equal((1, 20), (limits.MaxConcurrent(own.Id), limits.MaxQueued(own.Id)));
        Assert.Equal((int.MaxValue, int.MaxValue),
            (new CallerLimits(new ServeOptions(), keys).MaxConcurrent(""), new CallerLimits(new ServeOptions(), keys).MaxQueued("")));
    }

    [Fact]
    public async Task Over_http_the_refusal_names_the_keys_own_limit()
    {
        var small = KeyRingTests.Key("small", "one") with { Limits = new KeyLimits(MaxConcurrent: 1) };
        FakeKeySource source = new() { Keys = [small, KeyRingTests.Key("usual", "two")] };
        await using var server = await TestServer.StartAsync(RequestTests.Endless(), new ServeOptions { Keys = source });
        Task<HttpResponseMessage> first = server.Client.SendAsync(Ask("one"), HttpCompletionOption.ResponseHeadersRead),
            other = server.Client.SendAsync(Ask("two"), HttpCompletionOption.ResponseHeadersRead);
        foreach (var running in (Task<HttpResponseMessage>[])[first, other]) Assert.True((await running).IsSuccessStatusCode);
        var second = await server.Client.SendAsync(Ask("one"));
        var error = (await TestServer.JsonAsync(second)).GetProperty("error");
        Assert.Equal((429, "too_many_concurrent_requests"), ((int)second.StatusCode, error.GetProperty("code").GetString()));
        Assert.StartsWith("This API key has 1", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        (await first).Dispose();
        (await other).Dispose();
    }

    [Fact]
    public void A_key_may_have_fewer_in_line_than_others()
    {
        FairAdmissionQueue line = new(null, 2, TimeProvider.System);
        using FairAdmissionQueue.Pass? first = line.TryEnter("a", 1), second = line.TryEnter("b");
        Assert.NotNull(first);
        Assert.Null(line.TryEnter("a", 1));
        using FairAdmissionQueue.Pass? third = line.TryEnter("a", 3), fourth = line.TryEnter("b");
        Assert.True(third is not null && fourth is not null);
        Assert.Null(line.TryEnter("b"));
    }

    private static HttpRequestMessage Ask(string key)
    {
        var request = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat(",\"stream\":true")));
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        return request;
    }
}
