using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Auth;
using R1Serverless.Tests.Hosting;
using R1Serverless.Triggers;

namespace R1Serverless.Tests.Triggers;

/// <summary>Messages that the host took from the queue, in a gateway in this process.</summary>
public sealed class JobIntakeTests
{
    private const string Fine = """{"id":"order-7","body":{"model":"m","messages":[{"role":"user","content":"ask"}]}}""";

    [Fact]
    public async Task A_job_goes_its_way_once_and_what_can_never_run_is_put_aside_and_acknowledged()
    {
        await using var server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = true });
        for (var count = 1; count <= 2; count++) await TakeAsync(server, "79e2", Fine, count);
        // As producers write it whose library encodes messages.
        await TakeAsync(server, "79e3", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Fine)));

        var store = server.Queue.Transport.Store;
        Assert.Equal(["jobs/order-7/input.jsonl"], await NamesAsync(store, "jobs/"));
        Assert.Single(await NamesAsync(store, "active-batches/"));

        await TakeAsync(server, "p1", "no job");
        Assert.Equal(["inference-jobs-poison/p1.json"], await NamesAsync(store, "inference-jobs-poison/"));
        using var letter = JsonDocument.Parse((await store.GetAsync("inference-jobs-poison/p1.json", default))!.Content);
        Assert.Equal(("the message is not valid JSON", "no job"),
            (letter.RootElement.GetProperty("reason").GetString(), letter.RootElement.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task A_store_that_is_away_is_waited_for_and_then_the_message_is_given_back()
    {
        FakeTimeProvider time = new();
        CapturedLog<JobIntake> log = new();
        await using var server =
            await TestServer.StartLoadingAsync((_, _, _) => throw new InvalidOperationException(),
                new ServeOptions { Role = ServeRole.Gateway, IsBehindHost = true }, time);
        await server.UntilAsync(ServingPhase.Ready);
        // A file where a folder should be.
        var inTheWay = Path.Combine(server.DataFolder, "queue", "store", "jobs");
        await File.WriteAllTextAsync(inTheWay, "");
        var start = time.GetTimestamp();
        var lost = TakeAsync(server, "79e2", Fine, log: log);
        await PassAsync(lost);
        await Assert.ThrowsAsync<TransportException>(() => lost);
        Assert.True(time.GetElapsedTime(start) >= JobIntake.Patience);

        var tries = log.Messages.Count;
        Assert.True(tries > 1, $"{tries}");
        var kept = TakeAsync(server, "79e2", Fine, log: log);
        await Eventually.HoldsAsync(() => log.Messages.Count > tries, "a try fails");
        File.Delete(inTheWay);
        await PassAsync(kept);
        await kept;

        Task PassAsync(Task until) => Eventually.HoldsAsync(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(100));
                return until.IsCompleted;
            },
            "the message is handled or given back");
    }

    private static Task TakeAsync(TestServer server, string id, string text, long count = 1, ILogger<JobIntake>? log = null) =>
        new JobIntake(
            server.Services.GetRequiredService<QueueConnection>(), server.Services.GetRequiredService<ServeOptions>(),
            server.Services.GetRequiredService<TimeProvider>(),
            log ?? NullLogger<JobIntake>.Instance)
            .TakeAsync(id, text, count, CancellationToken.None);

    private static async Task<string[]> NamesAsync(IObjectStore store, string folder)
    {
        List<string> names = [];
        await foreach (var entry in store.ListAsync(folder, default)) names.Add(entry.Name);
        return [.. names.Order(StringComparer.Ordinal)];
    }
}
