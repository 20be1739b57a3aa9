using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

public sealed class LifecycleTests
{
    [Fact]
    public async Task The_port_is_open_while_the_models_load()
    {
        TaskCompletionSource<LoadedModels> loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await TestServer.StartLoadingAsync((_, _, stop) => loaded.Task.WaitAsync(stop));
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        var ready = await server.Client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("loading", (await TestServer.JsonAsync(ready)).GetProperty("status").GetString());
        var refused = await server.PostAsync("/v1/chat/completions", TestServer.Chat());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.True(refused.Headers.Contains("Retry-After"));
        Assert.Equal("loading", (await TestServer.JsonAsync(refused)).GetProperty("error").GetProperty("code").GetString());

        loaded.SetResult(new LoadedModels(FakeInference.Thoughtful(), () => [TestServer.Served()], () => default));
        await server.UntilAsync(ServingPhase.Ready);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await server.PostAsync("/v1/chat/completions", TestServer.Chat())).StatusCode);
    }

    [Fact]
    public async Task Answers_in_flight_finish_while_new_requests_are_refused()
    {
        var channel = Channel.CreateUnbounded<InferenceEvent>();
        FakeInference inference = new((_, stop) => channel.Reader.ReadAllAsync(stop));
        await using var server = await TestServer.StartAsync(inference);
        channel.Writer.TryWrite(new InferenceEvent.Admitted(1, FakeInference.Variant));
        var running = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));

        var stopped = server.StopAsync();
        await server.UntilAsync(ServingPhase.Draining);
        var refused = await server.PostAsync("/v1/chat/completions", TestServer.Chat());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Client.GetAsync("/health/ready")).StatusCode);
        Assert.False(stopped.IsCompleted);

        channel.Writer.TryWrite(new InferenceEvent.ChoiceFinished(0, FinishReason.Stop));
        channel.Writer.TryWrite(new InferenceEvent.Finished(new Usage(1, 1, 0)));
        Assert.EndsWith("data: [DONE]\n\n", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await stopped;
        Assert.True(inference.IsDisposed);
    }

    [Fact]
    public async Task What_still_runs_after_the_grace_period_is_cut_off_with_an_error()
    {
        WatchedTime time = new();
        var channel = Channel.CreateUnbounded<InferenceEvent>();
        FakeInference inference = new((_, stop) => channel.Reader.ReadAllAsync(stop));
        await using var server = await TestServer.StartAsync(inference, new ServeOptions { Grace = TimeSpan.FromSeconds(10) }, time);
        channel.Writer.TryWrite(new InferenceEvent.Admitted(1, FakeInference.Variant));
        var running = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        var stopped = server.StopAsync();
        await time.UntilAwaitedAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((ServingPhase.Draining, false), (server.Serving.Phase, stopped.IsCompleted));
        // No more time passes: what was cut off ends by itself, and then the process stops.
        time.Advance(TimeSpan.FromSeconds(10));
        await inference.Cancelled.WaitAsync(TimeSpan.FromMinutes(1));
        var last = (await running.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Equal("draining", JsonDocument.Parse(last["data: ".Length..]).RootElement.GetProperty("error").GetProperty("code").GetString());
        await stopped;
    }

    [Fact]
    public async Task Models_change_no_more_once_the_drain_has_begun_while_answers_finish()
    {
        var channel = Channel.CreateUnbounded<InferenceEvent>();
        FakeInference inference = new((_, stop) => channel.Reader.ReadAllAsync(stop));
        TaskCompletionSource told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [TestServer.Served()], () => default) { StopUpdates = told.SetResult }),
            new ServeOptions { Grace = TimeSpan.FromMinutes(10) });
        await server.UntilAsync(ServingPhase.Ready);
        channel.Writer.TryWrite(new InferenceEvent.Admitted(1, FakeInference.Variant));
        var running = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        Assert.False(told.Task.IsCompleted);
        var stopped = server.StopAsync();
        await told.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(stopped.IsCompleted);
        channel.Writer.TryWrite(new InferenceEvent.ChoiceFinished(0, FinishReason.Stop));
        channel.Writer.TryWrite(new InferenceEvent.Finished(new Usage(1, 1, 0)));
        await running.Content.ReadAsStringAsync();
        await stopped;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_process_that_is_told_to_stop_while_it_starts_ends_well_and_is_not_ready_again(bool isWarmingUp)
    {
        (HeardOutput output, HeardOutput errors) = (new(), new());
        var data = Directory.CreateTempSubdirectory("r1-stopped-").FullName;
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously),
            held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new(HeldAsync);
        LoadedModels loaded = new(inference, () => [TestServer.Served()], () => default) { WarmupModel = isWarmingUp ? TestServer.Model : null };
        ServeOptions options = new() { Urls = ["http://127.0.0.1:0"], Transport = new TransportOptions { DataFolder = data } };
        // By a clock that stands, neither the grace nor the time for the process's own requests is ever over.
        var app = ServeHost.Build(options, LoadAsync, new FakeTimeProvider(TimeProvider.System.GetUtcNow()), output, errors);
        var serving = app.Services.GetRequiredService<ServingState>();
        var running = ServeHost.RunAsync(app, errors);
        await begun.Task.WaitAsync(TimeSpan.FromMinutes(1));
        // Keeps the drain from its end, so that the start goes on in it.
        using (serving.TryEnter(inference))
        {
            app.Lifetime.StopApplication();
            await Eventually.HoldsAsync(() => serving.Phase == ServingPhase.Draining, "the drain");
            Assert.Null(serving.TryEnter(inference));
            held.SetResult();
            await Eventually.HoldsAsync(async () => (await serving.ListModelsAsync(CancellationToken.None)).Count > 0,
                () => $"the end of the start; {output}{errors}");
            Assert.Null(serving.TryEnter());
        }

        Assert.Equal(0, await running);
        Assert.Equal(ServingPhase.Draining, serving.Phase);
        // The one that ran when the signal came.
        Assert.Equal(isWarmingUp ? 1 : 0, inference.Requests.Count);
        Assert.True(inference.IsDisposed);
        Assert.Equal("", errors.ToString());
        Directory.Delete(data, recursive: true);

        async Task<LoadedModels> LoadAsync(ServeOptions asked, IStartProgress progress, CancellationToken stop)
        {
            if (isWarmingUp) return loaded;
            begun.SetResult();
            await held.Task;
            return loaded;
        }

        async IAsyncEnumerable<InferenceEvent> HeldAsync(InferenceRequest request,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
        {
            begun.TrySetResult();
            await held.Task.WaitAsync(stop);
            await foreach (var inferenceEvent in FakeInference.Thoughtful().RunAsync(request, stop)) yield return inferenceEvent;
        }
    }

    [Fact]
    public async Task A_gateway_that_stops_before_the_end_of_an_answer_leaves_its_request_running()
    {
        var channel = Channel.CreateUnbounded<InferenceEvent>();
        FakeInference inference = new((_, stop) => channel.Reader.ReadAllAsync(stop));
        var gateway = await TestServer.StartGatewayAsync(new ServeOptions { Grace = TimeSpan.Zero });
        await using var worker = await gateway.WithWorkerAsync(inference);
        channel.Writer.TryWrite(new InferenceEvent.Admitted(1, FakeInference.Variant));
        var running = await gateway.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        RequestId id = new(Assert.Single(running.Headers.GetValues("x-r1-request-id")));
        await gateway.StopAsync();
        Assert.Contains("draining", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        // Nothing has ended it, and its worker does.
        ResultStore results = new(worker.Queue.Transport.Store);
        Assert.Null(await results.FindAsync(id, CancellationToken.None));
        channel.Writer.TryWrite(new InferenceEvent.ChoiceFinished(0, FinishReason.Stop));
        channel.Writer.TryWrite(new InferenceEvent.Finished(new Usage(1, 1, 0)));
        channel.Writer.Complete();
        await Eventually.HoldsAsync(async () => await results.ExistsAsync(id, CancellationToken.None), () => "the result");
        Assert.Equal(RequestOutcome.Finished, (await results.FindAsync(id, CancellationToken.None))!.Outcome);
    }

    [Fact]
    public async Task Work_that_would_begin_after_the_end_does_not()
    {
        QueueWork work = new(new ServeOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await work.DisposeAsync();
        // Neither is looked at.
        await work.RunAsync(null!, null!);
    }

    [Fact]
    public async Task The_start_tells_address_model_times_and_a_curl()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var address = server.Client.BaseAddress!.ToString().TrimEnd('/');
        await server.UntilSaidAsync("curl");
        var text = server.Output.ToString();
        Assert.Contains($"Listening on {address}", text, StringComparison.Ordinal);
        Assert.Contains("r1-test  fp32 on cpu, 3.0 MB, context 2048, loaded in 1.00 s, warmed up in 2.00 s", text, StringComparison.Ordinal);
        Assert.Contains("r1-test  int8 on cpu, 1.0 MB, context 2048, loaded on demand", text, StringComparison.Ordinal);
        Assert.Contains($"curl {address}/v1/chat/completions", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_loading_tells_comes_after_the_address_however_early_it_happens()
    {
        await using var server = await TestServer.StartLoadingAsync((_, progress, _) =>
        {
            progress.Report("Built r1-test.");
            return Task.FromResult(new LoadedModels(FakeInference.Thoughtful(), () => [TestServer.Served()], () => default));
        });
        await server.UntilSaidAsync("curl");
        var lines = server.Output.ToString().Split(Environment.NewLine);
        Assert.StartsWith("Listening on ", lines[0], StringComparison.Ordinal);
        Assert.Equal("Built r1-test.", Assert.Single(lines[2..], line => line.StartsWith("Built", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_was_loaded_for_a_port_that_cannot_be_opened_is_freed()
    {
        (StringWriter output, StringWriter errors) = (new(), new());
        var data = Directory.CreateTempSubdirectory("r1-taken-").FullName;
        await using var other = await TestServer.StartAsync(FakeInference.Thoughtful());
        ServeOptions options = new() { Urls = [other.Client.BaseAddress!.ToString()], Transport = new TransportOptions { DataFolder = data } };
        FreedInference inference = new();
        await using (var app = ServeHost.Build(
            options, (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [TestServer.Served()], () => default)), TimeProvider.System,
            output, errors))
        {
            Assert.Equal(1, await ServeHost.RunAsync(app, errors));
        }

        await inference.Freed.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Contains("cannot listen", errors.ToString(), StringComparison.Ordinal);
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task A_model_that_cannot_be_loaded_stops_the_process_with_words()
    {
        (StringWriter output, StringWriter errors) = (new(), new());
        var data = Directory.CreateTempSubdirectory("r1-unloaded-").FullName;
        ServeOptions options = new() { Urls = ["http://127.0.0.1:0"], Transport = new TransportOptions { DataFolder = data } };
        await using (var app = ServeHost.Build(
            options, (_, _, _) => throw new ModelLoadException("no such folder"), TimeProvider.System, output, errors))
        {
            Assert.Equal(1, await ServeHost.RunAsync(app, errors));
        }

        Assert.Equal($"r1: no such folder{Environment.NewLine}", errors.ToString());
        Directory.Delete(data, recursive: true);
    }

    private sealed class FreedInference : IInference, IAsyncDisposable
    {
        private readonly TaskCompletionSource _freed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Freed => _freed.Task;

        public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("Nobody asks.");

        public ValueTask DisposeAsync()
        {
            _freed.TrySetResult();
            return ValueTask.CompletedTask;
        }
    }
}
