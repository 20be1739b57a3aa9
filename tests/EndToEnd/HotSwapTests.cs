using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using R1Serverless.Tests.Azure.Storage;
using R1Serverless.Tests.Benchmarks;
using R1Serverless.Tests.Commands;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Versions that change under a real process, pushed and activated by real commands.</summary>
public sealed class HotSwapTests(AzuriteFixture azurite, ITestOutputHelper output) : IDisposable
{
    private const int Streams = 32;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-swap-").FullName;

    private string Repository => Path.Combine(_folder, "repository");

    [Fact]
    public async Task Versions_change_under_streams_without_one_failure_and_bad_ones_never_serve()
    {
        await PushAsync(TestModels.Nano.Path, "1");
        await using var server = await ServeProcess.StartAsync("--models-from", Repository, "--models-poll", "1");
        using CancellationTokenSource end = new();
        ConcurrentDictionary<string, int> served = new(StringComparer.Ordinal), ever = new(StringComparer.Ordinal);
        ConcurrentQueue<string> failures = [];
        double largest = 0;
        Task[] streams = [.. Enumerable.Range(0, Streams).Select(one => StreamAsync(one))];

        await UntilServedAsync("1");
        await PushAsync(TestModels.Nano.Path, "2");
        await UntilAsync(server, "2", "active");
        await UntilServedAsync("2");

        await PushAsync(ChangedModel.Damage(TestModels.Nano, Path.Combine(_folder, "damaged")).Path, "3");
        var failed = await UntilAsync(server, "3", "failed");
        var reason = failed.GetProperty("reason").GetString()!;
        Assert.Contains("could not be loaded", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(Path.DirectorySeparatorChar, reason);
        Assert.Equal("2", (await VersionsAsync(server))[0].GetProperty("version").GetString());
        await PushAsync(ChangedModel.Spoil(TestModels.Nano, Path.Combine(_folder, "poor"), "cpu").Path, "4");
        failed = await UntilAsync(server, "4", "failed");
        Assert.Contains("lost more accuracy than tolerated", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);

        served.Clear();
        await RunAsync("model", "activate", "r1-nano", "1", "--to", Repository);
        await UntilAsync(server, "1", "active");
        await UntilServedAsync("1");
        await end.CancelAsync();
        await Task.WhenAll(streams);

        output.WriteLine($"{served.Values.Sum()} answers since the last change, largest gap {largest:0} ms");
        Assert.Empty(failures);
        Assert.Equal(["1", "2"], ever.Keys.Order(StringComparer.Ordinal));
        await server.UntilSaidAsync("r1-nano 3 is not served: ");
        await server.UntilSaidAsync("Unloaded r1-nano 1 fp32 as its version is served no more.");
        server.SendTerminate();
        Assert.Equal(0, await server.ExitAsync());

        async Task StreamAsync(int number)
        {
            await Task.Yield();
            while (!end.IsCancellationRequested)
            {
                var request =
                    ServeProcess.Ask("What is 12 + 30?",
                        $",\"stream\":true,\"stream_options\":{{\"include_usage\":true}},\"ignore_eos\":true,\"max_tokens\":{200 + number * 11}");
                try
                {
                    using var response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                    var version = response.Headers.GetValues("x-r1-variant").Single().Split("; version ")[1];
                    using StreamReader lines = new(await response.Content.ReadAsStreamAsync());
                    var last = Stopwatch.GetTimestamp();
                    string? usage = null, ended = null;
                    while (await lines.ReadLineAsync() is { } line)
                    {
                        if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
                        var gap = Stopwatch.GetElapsedTime(last).TotalMilliseconds;
                        last = Stopwatch.GetTimestamp();
                        InterlockedMax(ref largest, gap);
                        if (line.Contains("\"completion_tokens\"", StringComparison.Ordinal)) usage = line;
                        ended = line;
                    }

                    if (ended != "data: [DONE]" || usage is null || !usage.Contains($"\"version\":\"{version}\"", StringComparison.Ordinal))
                        failures.Enqueue($"{version}: {usage} {ended}");
                    ever.TryAdd(version, 1);
                    served.AddOrUpdate(version, 1, (_, count) => count + 1);
                }
                catch (Exception fault) when (fault is HttpRequestException or IOException or InvalidOperationException)
                {
                    failures.Enqueue(fault.Message);
                }
            }
        }

        async Task UntilServedAsync(string version)
        {
            var began = Stopwatch.GetTimestamp();
            while (!served.ContainsKey(version))
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < Patience, $"nothing was answered by {version}; {server.Output}");
                await Task.Delay(20);
            }
        }
    }

    [Fact]
    public async Task A_gateway_tells_its_workers_versions_and_answers_through_the_queue_by_them()
    {
        var data = Path.Combine(_folder, "data");
        await PushAsync(TestModels.Nano.Path, "1");
        // Its environment is the workers' too; a gateway has no models all the same.
        await using var gateway =
            await ServeProcess.StartInAsync(data, new Dictionary<string, string> { ["R1_MODELS"] = Repository }, "--role", "gateway");
        await using var worker =
            await ServeProcess.StartInAsync(data, new Dictionary<string, string> { ["R1_MODELS"] = Repository }, "--role", "worker", "--models-poll",
                "1");
        await UntilAsync(gateway, "1", "active");
        await PushAsync(TestModels.Nano.Path, "2");
        var active = await UntilAsync(gateway, "2", "active");

        Assert.Equal(1, active.GetProperty("workers").GetInt32());
        using var answer = await gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"));
        Assert.EndsWith("; version 2", answer.Headers.GetValues("x-r1-variant").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_starts_with_a_bad_active_version_serves_the_one_that_was_served_last()
    {
        await PushAsync(TestModels.Nano.Path, "1");
        var data = Path.Combine(_folder, "data");
        await (await ServeProcess.StartInAsync(data, "--models-from", Repository)).DisposeAsync();
        await PushAsync(ChangedModel.Damage(TestModels.Nano, Path.Combine(_folder, "damaged")).Path, "2");
        await using var server = await ServeProcess.StartInAsync(
            data, "--models-from", Repository, "--model", "r1-nano", "--load", "r1-nano:fp32", "--load", "r1-nano:int8");

        Assert.Equal([("1", "active"), ("2", "failed")],
            (await VersionsAsync(server)).Select(one => (one.GetProperty("version").GetString(), one.GetProperty("state").GetString())));
        using var answer = await server.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"));
        Assert.True(answer.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Models_come_from_a_container_too()
    {
        var storage = await azurite.OptionsAsync();
        Dictionary<string, string> environment = new() { ["R1_MODELS"] = storage.ConnectionString! };
        await ModelCommandTests.RunAsync(environment, "model", "push", TestModels.Nano.Path, "--version", "1", "--activate");
        await using var server = await ServeProcess.StartInAsync(null, environment, "--models-poll", "1");
        await ModelCommandTests.RunAsync(environment, "model", "push", TestModels.Nano.Path, "--version", "2", "--activate");
        await UntilAsync(server, "2", "active");
        using var answer = await server.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"));
        Assert.EndsWith("; version 2", answer.Headers.GetValues("x-r1-variant").Single(), StringComparison.Ordinal);
        Assert.DoesNotContain("AccountKey", server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not mounted", "--models-from", "EMPTY")]
    [InlineData("'other'", "--models-from", "REPOSITORY", "--model", "other")]
    [InlineData("A gateway loads no models", "--models-from", "REPOSITORY", "--role", "gateway")]
    [InlineData("its address has the form", "--models-from", "https://account.blob.core.windows.net")]
    public async Task What_can_not_be_served_is_said_in_a_sentence(string says, params string[] arguments)
    {
        await PushAsync(TestModels.Nano.Path, "1");
        (var code, var said) = await ServeProcess.RefusedAsync(
            ["--urls", "http://127.0.0.1:0",
            .. arguments.Select(one => one switch { "REPOSITORY" => Repository, "EMPTY" => Path.Combine(_folder, "empty"), _ => one })]);
        Assert.Equal(1, code);
        Assert.Contains(says, said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static void InterlockedMax(ref double target, double value)
    {
        for (var seen = Volatile.Read(ref target); value > seen;)
        {
            var before = Interlocked.CompareExchange(ref target, value, seen);
            if (before == seen) return;
            seen = before;
        }
    }

    private static async Task RunAsync(params string[] arguments)
    {
        var (code, _, errors) = await ModelCommandTests.RunAsync(arguments);
        Assert.True(code == 0, errors);
    }

    private static async Task<JsonElement[]> VersionsAsync(ServeProcess process)
    {
        using var models = JsonDocument.Parse(await process.Client.GetStringAsync("/v1/models"));
        return [.. models.RootElement.GetProperty("data").EnumerateArray().SelectMany(model => model.GetProperty("versions").EnumerateArray())
            .Select(one => one.Clone())];
    }

    private static async Task<JsonElement> UntilAsync(ServeProcess process, string version, string state)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var versions = await VersionsAsync(process);
            var found = versions.FirstOrDefault(
                one => one.GetProperty("version").GetString() == version && one.GetProperty("state").GetString() == state);
            if (found.ValueKind != JsonValueKind.Undefined) return found;
            Assert.True(Stopwatch.GetElapsedTime(began) < Patience, $"{version} is not {state}: {string.Join(' ', versions)}; {process.Output}");
            await Task.Delay(50);
        }
    }

    private Task PushAsync(string model, string version) => RunAsync("model", "push", model, "--to", Repository, "--version", version, "--activate");
}
