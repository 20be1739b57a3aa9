using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.ModelLoading;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Engine.ModelHosting;
using R1Serverless.Warmup;

namespace R1Serverless.Tests.Hosting;

/// <summary>The timeline of a start.</summary>
public sealed class StartupTests
{
    [Fact]
    public async Task Health_tells_how_far_the_start_has_come_and_when_the_first_token_was()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var before = await StartupAsync(server);
        Assert.True(before.GetProperty("port_open").GetDouble() <= before.GetProperty("ready").GetDouble());
        Assert.False(before.TryGetProperty("first_token", out _));
        (await server.PostAsync("/v1/chat/completions", TestServer.Chat())).EnsureSuccessStatusCode();
        var after = await StartupAsync(server);
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
        Assert.Equal(age,
            StartupTimeline.Age($"42 (r1 (x) y) S {string.Join(' ', Enumerable.Repeat("7", 18))} 10000 8 9", uptime, stopwatch).TotalSeconds, 6);

    [Fact]
    public void What_the_system_does_not_say_is_a_format_fault() =>
    Assert.Throws<FormatException>(() => StartupTimeline.Age($"42 (r1) S {string.Join(' ', Enumerable.Repeat("7", 18))} 10000 8 9", "", 3));

    [Fact]
    public async Task Health_shows_that_the_files_are_there_while_the_sessions_are_made()
    {
        await using var server = await TestServer.StartLoadingAsync(async (options, progress, stop) =>
        {
            progress.Mark(StartupPhase.Artifacts);
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
        var data = Directory.CreateTempSubdirectory("r1-server-").FullName;
        var workers = Path.Combine(new TransportOptions { DataFolder = data }.QueueFolder, "store", "workers");
        Directory.CreateDirectory(Path.GetDirectoryName(workers)!);
        // Where the folder of their registrations would be: a link that leads to itself can't be listed.
        File.CreateSymbolicLink(workers, Path.GetFileName(workers));
        await using var gateway =
            await TestServer.StartLoadingAsync((_, _, _) => throw new InvalidOperationException(), new ServeOptions { Role = ServeRole.Gateway },
                data: data);
        await Eventually.HoldsAsync(() => gateway.Serving.Phase != ServingPhase.Loading, "the gateway has started");
        Assert.Equal(("", ServingPhase.Ready), (gateway.Errors.ToString(), gateway.Serving.Phase));
        Assert.False(
            (await Assert.ThrowsAsync<TransportException>(async () => await gateway.Queue.Workers.ListAsync(CancellationToken.None))).IsPermanent);
        File.Delete(workers);
        Assert.Empty(await gateway.Queue.Workers.ListAsync(CancellationToken.None));
    }

    [Fact]
    public async Task The_models_of_this_process_reach_their_phases_in_order()
    {
        using HandMadeModels models = new();
        await using var server =
            await TestServer.StartLoadingAsync(LocalModels.LoadAsync,
                new ServeOptions { Models = [models.Make("m", Precision.Fp32).Path], MemoryBytes = 1L << 30, KeyValueMemoryBytes = 1 << 20 });
        await server.UntilAsync(ServingPhase.Ready);
        var startup = await StartupAsync(server);
        double[] reached = [.. ((string[])["artifacts", "sessions", "warmed", "ready"]).Select(phase => startup.GetProperty(phase).GetDouble())];
        Assert.Equal(reached.Order(), reached);
    }

    [Fact]
    public async Task The_first_token_of_the_queues_work_is_told_by_the_worker_and_by_the_gateway()
    {
        var gateway = await TestServer.StartGatewayAsync();
        await using var worker = await gateway.WithWorkerAsync(FakeInference.Thoughtful());
        Assert.False((await StartupAsync(worker)).TryGetProperty("first_token", out _));
        (await gateway.PostAsync("/v1/chat/completions", TestServer.Chat())).EnsureSuccessStatusCode();
        (await gateway.PostAsync("/v1/chat/completions", TestServer.Chat())).EnsureSuccessStatusCode();
        foreach (var one in (TestServer[])[worker, gateway])
        {
            await Eventually.HoldsAsync(async () => (await StartupAsync(one)).TryGetProperty("first_token", out _),
                () => $"the first token of the {(one == worker ? "worker" : "gateway")}");
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
        IAsyncEnumerator<InferenceEvent>[] both = [watch.RunAsync(request, CancellationToken.None).GetAsyncEnumerator(),
            watch.RunAsync(request, CancellationToken.None).GetAsyncEnumerator()];
        foreach (var events in both)
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

    [Fact]
    public void What_a_manifest_marks_is_loaded_beside_what_is_usual_unless_the_operator_names_others()
    {
        using HandMadeModels models = new();
        ModelFolder a = models.Make("a", variant => variant, Precision.Fp32, Precision.Int8),
            b = models.Make("b", variant => variant with { Preload = variant.Precision == Precision.Int8 }, Precision.Fp32, Precision.Int8);
        Assert.Equal([("a", null), ("b", Precision.Int8)], PreloadNames.Read(new ServeOptions(), [a, b]).Select(one => (one.Model, one.Wish.Named)));
        Assert.Equal([("a", Precision.Fp32)],
            PreloadNames.Read(new ServeOptions { Load = ["a:fp32"] }, [a, b]).Select(one => (one.Model, one.Wish.Named)));
    }

    internal static async Task<JsonElement> StartupAsync(TestServer server) =>
        (await TestServer.JsonAsync(await server.Client.GetAsync(new Uri("/health/ready", UriKind.Relative)))).GetProperty("startup");
}
