using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Requests;
using R1Serverless.Tests.Generation;

namespace R1Serverless.Tests.Hosting;

/// <summary>The timeline of a start, and the requests of the process's own that come before anybody else's.</summary>
public sealed class StartupTests
{
    [Fact]
    public void Phases_are_told_in_their_order_and_count_once()
    {
        FakeTimeProvider time = new();
        StartupTimeline timeline = new(time);
        time.Advance(TimeSpan.FromSeconds(2));
        timeline.Mark(StartupPhase.Ready);
        long later = time.GetTimestamp();
        timeline.TryMark(StartupPhase.PortOpen, later - (time.TimestampFrequency / 2));
        time.Advance(TimeSpan.FromSeconds(5));
        timeline.Mark(StartupPhase.Ready);
        Assert.Equal(["port_open", "ready"], timeline.Reached.Select(one => one.Phase));
        Assert.Equal(0.5, timeline.Reached[1].Seconds - timeline.Reached[0].Seconds, 3);
        // This very process is older than the timeline.
        Assert.InRange(timeline.Reached[1].Seconds, 2, 100_000);
    }

    [Fact]
    public async Task Health_tells_how_far_the_start_has_come_and_when_the_first_token_was()
    {
        await using TestServer server = await TestServer.StartAsync(FakeInference.Thoughtful());
        JsonElement before = await StartupAsync(server);
        Assert.True(before.GetProperty("port_open").GetDouble() <= before.GetProperty("ready").GetDouble());
        Assert.False(before.TryGetProperty("first_token", out _));
        (await server.PostAsync("/v1/chat/completions", TestServer.Chat())).EnsureSuccessStatusCode();
        JsonElement after = await StartupAsync(server);
        Assert.True(after.GetProperty("first_token").GetDouble() >= after.GetProperty("ready").GetDouble());
        // It is told once requests are taken in.
        await server.UntilSaidAsync("port open");
    }

    /// <summary>Seconds: a process that began at 100, seen at 103.5 by the clock that goes on in the machine's sleep.</summary>
    [Theory]
    [InlineData("103.50 207.00", 103.507, 3.507)]
    [InlineData("103.50 207.00", 103.42, 3.42)]
    [InlineData("103.50 207.00", 3.5, 3.5)]
    [InlineData("103.50 207.00", 100.5, 3.5)]
    [InlineData("7.25 1.00", 103.5, 3.5)]
    [InlineData("7.25 1.00", 99, 0)]
    public void A_process_is_as_old_on_a_machine_that_slept(string uptime, double stopwatch, double age) =>
        Assert.Equal(age, StartupTimeline.Age($"42 (r1 (x) y) S {string.Join(' ', Enumerable.Repeat("7", 18))} 10000 8 9", uptime, stopwatch).TotalSeconds, 6);

    [Fact]
    public void What_the_system_does_not_say_is_a_format_fault() => Assert.Throws<FormatException>(() => StartupTimeline.Age($"42 (r1) S {string.Join(' ', Enumerable.Repeat("7", 18))} 10000 8 9", "", 3));

    [Fact]
    public async Task Health_shows_that_the_files_are_there_while_the_sessions_are_made()
    {
        await using TestServer server = await TestServer.StartLoadingAsync(async (options, progress, stop) =>
        {
            ((StartupReport)progress).Mark(StartupPhase.Artifacts);
            await Task.Delay(Timeout.Infinite, stop);
            throw new InvalidOperationException();
        });
        await Eventually.HoldsAsync(async () => (await StartupAsync(server)).TryGetProperty("artifacts", out _), () => "the files");
        Assert.Equal(ServingPhase.Loading, server.Serving.Phase);
        Assert.False((await StartupAsync(server)).TryGetProperty("sessions", out _));
        await server.StopAsync();
    }

    [Fact]
    public async Task A_gateway_that_can_not_list_the_workers_when_it_starts_serves_all_the_same()
    {
        string data = Directory.CreateTempSubdirectory("r1-server-").FullName;
        string workers = Path.Combine(new TransportOptions { DataFolder = data }.QueueFolder, "store", "workers");
        Directory.CreateDirectory(Path.GetDirectoryName(workers)!);
        // Where the folder of their cards would be: a link that leads to itself can't be listed.
        File.CreateSymbolicLink(workers, Path.GetFileName(workers));
        await using TestServer gateway = await TestServer.StartLoadingAsync((_, _, _) => throw new InvalidOperationException(), new ServeOptions { Role = ServeRole.Gateway }, data: data);
        await Eventually.HoldsAsync(() => gateway.Serving.Phase != ServingPhase.Loading, "the gateway has started");
        Assert.Equal(("", ServingPhase.Ready), (gateway.Errors.ToString(), gateway.Serving.Phase));
        Assert.False((await Assert.ThrowsAsync<TransportException>(async () => await gateway.Queue.Workers.ListAsync(CancellationToken.None))).IsPermanent);
        File.Delete(workers);
        Assert.Empty(await gateway.Queue.Workers.ListAsync(CancellationToken.None));
    }

    [Fact]
    public async Task The_models_of_this_process_reach_their_phases_in_order()
    {
        using HandMadeModels models = new();
        ModelFolder folder = models.Make("m", Precision.Fp32);
        await using TestServer server = await TestServer.StartLoadingAsync(LocalModels.LoadAsync, new ServeOptions { Models = [folder.Path], MemoryBytes = 1L << 30, KeyValueMemoryBytes = 1 << 20 });
        await server.UntilAsync(ServingPhase.Ready);
        JsonElement startup = await StartupAsync(server);
        double[] reached = [.. ((string[])["artifacts", "sessions", "warmed", "ready"]).Select(phase => startup.GetProperty(phase).GetDouble())];
        Assert.Equal(reached.Order(), reached);
    }

    [Fact]
    public async Task The_first_token_of_the_queues_work_is_told_by_the_worker_and_by_the_gateway()
    {
        TestServer gateway = await TestServer.StartGatewayAsync();
        await using TestServer worker = await gateway.WithWorkerAsync(FakeInference.Thoughtful());
        Assert.False((await StartupAsync(worker)).TryGetProperty("first_token", out _));
        (await gateway.PostAsync("/v1/chat/completions", TestServer.Chat())).EnsureSuccessStatusCode();
        (await gateway.PostAsync("/v1/chat/completions", TestServer.Chat())).EnsureSuccessStatusCode();
        foreach (TestServer one in (TestServer[])[worker, gateway])
        {
            await Eventually.HoldsAsync(async () => (await StartupAsync(one)).TryGetProperty("first_token", out _), () => $"the first token of the {(one == worker ? "worker" : "gateway")}");
            await one.UntilSaidAsync(": first token ");
            Assert.Equal(2, one.Output.ToString().Split(": first token ").Length);
        }
    }

    [Fact]
    public async Task The_first_token_is_marked_when_it_comes_and_told_once_a_little_later()
    {
        FakeTimeProvider time = new();
        StartupTimeline timeline = new(time);
        TaskCompletionSource<string> told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Said said = new() { OnLine = line => told.TrySetResult(line) };
        FirstTokenWatch watch = new(FakeInference.Thoughtful(), new FirstToken(timeline, said, time));
        InferenceRequest request = new() { Id = RequestId.New(), Model = TestServer.Model, Prompt = new Prompt.Text("a client's") };
        // Both have begun before either has a token.
        IAsyncEnumerator<InferenceEvent>[] both = [watch.RunAsync(request, CancellationToken.None).GetAsyncEnumerator(), watch.RunAsync(request, CancellationToken.None).GetAsyncEnumerator()];
        foreach (IAsyncEnumerator<InferenceEvent> events in both)
        {
            do Assert.True(await events.MoveNextAsync());
            while (events.Current is not InferenceEvent.Delta);
            Assert.Equal("first_token", Assert.Single(timeline.Reached).Phase);
            while (await events.MoveNextAsync()) { }
            await events.DisposeAsync();
        }

        Assert.Empty(said.Lines);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains(": first token ", await told.Task.WaitAsync(TimeSpan.FromMinutes(1)), StringComparison.Ordinal);
        Assert.Single(said.Lines);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_process_asks_itself_before_others_may_in_all_ways_and_without_a_key(bool withKey)
    {
        FakeInference inference = FakeInference.Thoughtful();
        ServeOptions options = new() { ApiKeys = withKey ? ["secret"] : [] };
        // By a clock that stands, none of the asks takes too long to be made.
        await using TestServer server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [TestServer.Served()], () => default) { PrewarmedModel = TestServer.Model }), options, new FakeTimeProvider(TimeProvider.System.GetUtcNow()));
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
        if (!withKey) Assert.False((await StartupAsync(server)).TryGetProperty("first_token", out _));
    }

    [Fact]
    public async Task A_slow_model_is_asked_for_one_token_only()
    {
        FakeTimeProvider time = new(TimeProvider.System.GetUtcNow());
        FakeInference inference = new((_, _) =>
        {
            time.Advance(TimeSpan.FromMilliseconds(90));
            return FakeInference.Thoughtful().RunAsync(new InferenceRequest { Id = RequestId.New(), Model = TestServer.Model, Prompt = new Prompt.Text("") }, CancellationToken.None);
        });
        await using TestServer server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [TestServer.Served()], () => default) { PrewarmedModel = TestServer.Model }), time: time);
        await server.UntilAsync(ServingPhase.Ready);
        lock (inference.Requests) Assert.Equal(1, Assert.Single(inference.Requests).MaxTokens);
    }

    [Fact]
    public async Task A_model_that_does_not_answer_the_process_keeps_it_from_being_ready_for_a_while_only()
    {
        FakeTimeProvider time = new(TimeProvider.System.GetUtcNow());
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((_, cancellation) => NeverAsync(cancellation));
        await using TestServer server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [TestServer.Served()], () => default) { PrewarmedModel = TestServer.Model }), time: time);
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(ServingPhase.Loading, server.Serving.Phase);
        time.Advance(EndpointPrewarm.Patience);
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
        int asked = 0;
        FakeInference inference = new((request, _) =>
        {
            // At first what code takes that has never run.
            time.Advance(TimeSpan.FromMilliseconds((request.MaxTokens!.Value * token) + (asked++ == 0 ? first : 0)));
            return FakeInference.Thoughtful().RunAsync(request, CancellationToken.None);
        });
        await using TestServer server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [TestServer.Served()], () => default) { PrewarmedModel = TestServer.Model }), time: time);
        await server.UntilAsync(ServingPhase.Ready);
        // 60 + 10 + 40 + 40 are 150, which is not later than 150; 60 + 20 + 80 would be 160.
        lock (inference.Requests) Assert.Equal(expected, string.Join(' ', inference.Requests.Select(one => one.MaxTokens!.Value)));
    }

    [Fact]
    public async Task While_the_process_asks_itself_nobody_else_is_let_in_and_its_secret_ends_with_it()
    {
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously), asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((request, cancellation) => HeldAsync(request, cancellation));
        TaskCompletionSource<LoadedModels> loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestServer server = await TestServer.StartLoadingAsync((_, _, stop) => loaded.Task.WaitAsync(stop), new ServeOptions { ApiKeys = ["secret"] });
        HeardSecret heard = new();
        using IDisposable hearing = server.Services.GetRequiredService<DiagnosticListener>().Subscribe(heard);
        loaded.SetResult(new LoadedModels(inference, () => [TestServer.Served()], () => default) { PrewarmedModel = TestServer.Model });
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(1));
        string secret = await heard.Secret.WaitAsync(TimeSpan.FromMinutes(1));
        using HttpRequestMessage guess = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat()));
        guess.Headers.Add(PrewarmPass.Header, new string('0', 64));
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Client.SendAsync(guess)).StatusCode);
        using HttpRequestMessage client = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat()));
        client.Headers.Authorization = new("Bearer", "secret");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Client.SendAsync(client)).StatusCode);
        held.SetResult();
        await server.UntilAsync(ServingPhase.Ready);
        using HttpRequestMessage late = TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat()));
        late.Headers.Add(PrewarmPass.Header, secret);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Client.SendAsync(late)).StatusCode);

        async IAsyncEnumerable<InferenceEvent> HeldAsync(InferenceRequest request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
        {
            asked.TrySetResult();
            await held.Task.WaitAsync(cancellation);
            await foreach (InferenceEvent happened in FakeInference.Thoughtful().RunAsync(request, cancellation)) yield return happened;
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
    public void The_process_finds_its_own_door(string address, string? expected) => Assert.Equal(expected, EndpointPrewarm.Own([address])?.ToString());

    [Fact]
    public void What_a_manifest_marks_is_loaded_beside_what_is_usual_unless_the_operator_names_others()
    {
        using HandMadeModels models = new();
        ModelFolder a = models.Make("a", variant => variant, Precision.Fp32, Precision.Int8), b = models.Make("b", variant => variant with { Preload = variant.Precision == Precision.Int8 }, Precision.Fp32, Precision.Int8);
        Assert.Equal([("a", null), ("b", Precision.Int8)], PreloadNames.Read(new ServeOptions(), [a, b]).Select(one => (one.Model, one.Wish.Named)));
        Assert.Equal([("a", Precision.Fp32)], PreloadNames.Read(new ServeOptions { Load = ["a:fp32"] }, [a, b]).Select(one => (one.Model, one.Wish.Named)));
    }

    private static async Task<JsonElement> StartupAsync(TestServer server) =>
        (await TestServer.JsonAsync(await server.Client.GetAsync(new Uri("/health/ready", UriKind.Relative)))).GetProperty("startup");

    /// <summary>Hears what the process's own requests carry, as its server tells it to whoever traces.</summary>
    private sealed class HeardSecret : IObserver<KeyValuePair<string, object?>>
    {
        private readonly TaskCompletionSource<string> _secret = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Secret => _secret.Task;

        public void OnNext(KeyValuePair<string, object?> happened)
        {
            if (happened is { Key: "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start", Value: HttpContext context } && context.Request.Headers[PrewarmPass.Header] is [{ } offered]) _secret.TrySetResult(offered);
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error) => _secret.TrySetException(error);
    }
}
