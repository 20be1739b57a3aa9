using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;
using R1Serverless.Warmup;

namespace R1Serverless.Tests.Warmup;

/// <summary>The requests of the process's own that come before anybody else's.</summary>
public sealed class EndpointWarmupTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_process_asks_itself_before_others_may_in_all_ways_and_without_a_key(bool withKey)
    {
        var inference = FakeInference.Thoughtful();
        ServeOptions options = new() { ApiKeys = withKey ? ["secret"] : [] };
        // By a clock that stands, none of the asks takes too long to be made.
        await using var server = await StartAsync(inference, new FakeTimeProvider(TimeProvider.System.GetUtcNow()), options);
        await server.UntilAsync(ServingPhase.Ready);
        InferenceRequest[] asked;
        lock (inference.Requests) asked = [.. inference.Requests];
        Assert.True(asked.Length >= 4, $"{asked.Length} requests");
        Assert.Contains(asked, one => one.Prompt is Prompt.Chat);
        Assert.Contains(asked, one => one.Prompt is Prompt.Text);
        Assert.Contains(asked, one => one.Sampling.Temperature == 0);
        Assert.Contains(asked, one => one.Sampling.Temperature > 0);
        Assert.All(asked, one => Assert.Equal(TestServer.Model, one.Model));
        // Nobody's first token.
        if (!withKey) Assert.False((await StartupTests.StartupAsync(server)).TryGetProperty("first_token", out _));
    }

    [Fact]
    public async Task A_slow_model_is_asked_for_one_token_only()
    {
        FakeTimeProvider time = new(TimeProvider.System.GetUtcNow());
        FakeInference inference = new((_, _) =>
        {
            time.Advance(TimeSpan.FromMilliseconds(90));
            return FakeInference.Thoughtful()
                .RunAsync(new InferenceRequest { Id = RequestId.New(), Model = TestServer.Model, Prompt = new Prompt.Text("") },
                CancellationToken.None);
        });
        await using var server = await StartAsync(inference, time);
        await server.UntilAsync(ServingPhase.Ready);
        lock (inference.Requests) Assert.Equal(1, Assert.Single(inference.Requests).MaxTokens);
    }

    [Fact]
    public async Task A_model_that_does_not_answer_the_process_keeps_it_from_being_ready_for_a_while_only()
    {
        FakeTimeProvider time = new(TimeProvider.System.GetUtcNow());
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((_, cancellation) => NeverAsync(cancellation));
        await using var server = await StartAsync(inference, time);
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(ServingPhase.Loading, server.Serving.Phase);
        time.Advance(EndpointWarmup.Patience);
        await server.UntilAsync(ServingPhase.Ready);

        async IAsyncEnumerable<InferenceEvent> NeverAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
        {
            asked.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            yield break;
        }
    }

    [Theory]
    [InlineData(10, 50, "1 1 4 4")]
    [InlineData(20, 40, "1 1")]
    public async Task A_model_of_medium_size_is_asked_as_long_as_the_next_answer_would_end_in_time(int token, int first, string expected)
    {
        FakeTimeProvider time = new(TimeProvider.System.GetUtcNow());
        var asked = 0;
        FakeInference inference = new((request, _) =>
        {
            // At first what code takes that has never run.
            time.Advance(TimeSpan.FromMilliseconds((request.MaxTokens!.Value * token) + (asked++ == 0 ? first : 0)));
            return FakeInference.Thoughtful().RunAsync(request, CancellationToken.None);
        });
        await using var server = await StartAsync(inference, time);
        await server.UntilAsync(ServingPhase.Ready);
        // 60 + 10 + 40 + 40 are 150, which is not later than 150; 60 + 20 + 80 would be 160.
        lock (inference.Requests) Assert.Equal(expected, string.Join(' ', inference.Requests.Select(one => one.MaxTokens!.Value)));
    }

    [Fact]
    public async Task While_the_process_asks_itself_nobody_else_is_let_in_and_its_secret_ends_with_it()
    {
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously),
            asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((request, cancellation) => HeldAsync(request, cancellation));
        TaskCompletionSource<LoadedModels> loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server =
            await TestServer.StartLoadingAsync((_, _, stop) => loaded.Task.WaitAsync(stop), new ServeOptions { ApiKeys = ["secret"] });
        HeardSecret heard = new();
        using var hearing = server.Services.GetRequiredService<DiagnosticListener>().Subscribe(heard);
        loaded.SetResult(Loaded(inference));
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        var secret = await heard.Secret.WaitAsync(TimeSpan.FromMinutes(1));
        using var guess = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat()));
        guess.Headers.Add(WarmupPass.Header, new string('0', 64));
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Client.SendAsync(guess)).StatusCode);
        using var client = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat()));
        client.Headers.Authorization = new("Bearer", "secret");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Client.SendAsync(client)).StatusCode);
        held.SetResult();
        await server.UntilAsync(ServingPhase.Ready);
        using var late = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat()));
        late.Headers.Add(WarmupPass.Header, secret);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Client.SendAsync(late)).StatusCode);

        async IAsyncEnumerable<InferenceEvent> HeldAsync(InferenceRequest request,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
        {
            asked.TrySetResult();
            await held.Task.WaitAsync(cancellation);
            await foreach (var inferenceEvent in FakeInference.Thoughtful().RunAsync(request, cancellation)) yield return inferenceEvent;
        }
    }

    [Theory]
    [InlineData("http://127.0.0.1:7071", "127.0.0.1:7071")]
    [InlineData("http://localhost:7071", "127.0.0.1:7071")]
    [InlineData("http://0.0.0.0:80", "127.0.0.1:80")]
    [InlineData("http://[::]:81", "[::1]:81")]
    [InlineData("http://+:82", "127.0.0.1:82")]
    [InlineData("http://10.0.0.7:83", "10.0.0.7:83")]
    [InlineData("https://127.0.0.1:7071", null)]
    public void The_process_finds_its_own_address(string address, string? expected) => Assert.Equal(expected, EndpointWarmup.Own([address])?.ToString());

    private static LoadedModels Loaded(FakeInference inference) =>
        new(inference, () => [TestServer.Served()], () => default) { WarmupModel = TestServer.Model };

    private static Task<TestServer> StartAsync(FakeInference inference, TimeProvider time, ServeOptions? options = null) =>
        TestServer.StartLoadingAsync((_, _, _) => Task.FromResult(Loaded(inference)), options, time);

    /// <summary>Hears what the process's own requests carry, as its server tells it to whoever traces.</summary>
    private sealed class HeardSecret : IObserver<KeyValuePair<string, object?>>
    {
        private readonly TaskCompletionSource<string> _secret = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Secret => _secret.Task;

        public void OnNext(KeyValuePair<string, object?> inferenceEvent)
        {
            if (inferenceEvent is { Key: "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start", Value: HttpContext context }
                && context.Request.Headers[WarmupPass.Header] is [{ } offered]) _secret.TrySetResult(offered);
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error) => _secret.TrySetException(error);
    }
}
