using System.Diagnostics;
using System.Net;
using System.Text.Json;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Storage.Files;
using R1Serverless.Tests.Commands;
using R1Serverless.Tests.Monitoring;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>
/// A worker that is there but not ready, held in the middle of its start: another process (this one) has the lock of the fetch that it needs. And
/// workers that are taken away while they work.
/// </summary>
public sealed class ColdWorkerTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-cold-").FullName;

    private string Data => Path.Combine(_folder, "data");

    [Fact]
    public async Task A_worker_leases_nothing_before_it_is_ready_and_who_waits_gets_heartbeats_and_503_only_past_the_deadline()
    {
        var repository = Path.Combine(_folder, "repository");
        await RunAsync("model", "push", TestModels.Nano.Path, "--to", repository, "--version", "1", "--activate");
        var (_, key) =
            (await (await RepositoryAddress.Parse(repository).OpenAsync(TimeProvider.System, CancellationToken.None)).FindAsync("r1-nano", "1",
                CancellationToken.None))!.Value;
        var locks = Directory.CreateDirectory(Path.Combine(DataFolder.Cache(Data), "locks")).FullName;
        var held = await FileLock.TakeAsync(Path.Combine(locks, key), TimeProvider.System, Patience, CancellationToken.None);
        await using var gateway = await ServeProcess.StartInAsync(Data, "--role", "gateway");
        var starting = ServeProcess.StartInAsync(Data, "--role", "worker", "--models-from", repository);

        using var late = await gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"deadline\":1"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, late.StatusCode);
        Assert.InRange(late.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);

        using var waiting =
            await gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"stream\":true"), HttpCompletionOption.ResponseHeadersRead);
        using StreamReader stream = new(await waiting.Content.ReadAsStreamAsync());
        var first = (await stream.ReadLineAsync())!;
        Assert.StartsWith(":", first, StringComparison.Ordinal);
        Assert.False(starting.IsCompleted);
        var stats = await StatsAsync();
        Assert.Equal(0, stats.GetProperty("leased").GetInt32());

        held.Dispose();
        await using var worker = await starting;
        var rest = await stream.ReadToEndAsync();
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("\"error\"", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_run_twice_by_a_clean_scale_in()
    {
        const int Requests = 60;
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var gateway = await ServeProcess.StartInAsync(Data, receiver.Environment, "--role", "gateway");
        await using var leaving = await ServeProcess.StartInAsync(Data, receiver.Environment, "--role", "worker", "--grace", "120");
        var staying = await ServeProcess.StartInAsync(Data, receiver.Environment, "--role", "worker", "--grace", "120");
        await using (staying)
        {
            Task<HttpResponseMessage>[] asked =
                [.. Enumerable.Range(0, Requests)
                    .Select(i => gateway.Client.SendAsync(ServeProcess.Ask($"What is {i + 10} + 30?", ",\"ignore_eos\":true,\"max_tokens\":800")))];
            await UntilRunningAsync(leaving);
            leaving.SendTerminate();
            Assert.Equal(0, await leaving.ExitAsync());
            foreach (var answer in await Task.WhenAll(asked)) Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            staying.SendTerminate();
            Assert.Equal(0, await staying.ExitAsync());
        }

        // A run is a span of the engine, a delivery one of the queue; both are sent when their process ends.
        Assert.Equal(Requests, receiver.Spans.Count(span => span.Name == "chat r1-nano"));
        var deliveries = receiver.Spans.Where(span => span.Name == "process interactive")
            .ToLookup(span => span.Attributes["r1.outcome"], StringComparer.Ordinal);
        Assert.Equal(Requests, deliveries["Finished"].Count());
        // Leased in the very moment of the signal, and handed back before they had begun.
        Assert.Equal(deliveries["given back"].Count(), deliveries["Finished"].Count(span => span.Attributes["r1.delivery"] != "1"));
        Assert.Equal(Requests + deliveries["given back"].Count(), deliveries.Sum(one => one.Count()));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task UntilRunningAsync(ServeProcess worker)
    {
        var began = Stopwatch.GetTimestamp();
        while ((await worker.LoadAsync()).Running == 0) Assert.True(Stopwatch.GetElapsedTime(began) < Patience, worker.Output);
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        var (code, output, errors) = await ModelCommandTests.RunAsync(arguments);
        Assert.True(code == 0, errors);
        return output;
    }

    private async Task<JsonElement> StatsAsync() =>
        JsonDocument.Parse(await RunAsync("queue", "stats", "--class", "interactive", "--json", "--data", Data))
            .RootElement.GetProperty("queues")[0].Clone();
}
