using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Hosting;
using R1Serverless.Queues;
using R1Serverless.Tests.Hosting;
using R1Serverless.Triggers;

namespace R1Serverless.Tests.Triggers;

/// <summary>The host's own calls, to a gateway in this process.</summary>
public sealed class TriggerTests
{
    /// <summary>Housekeeping before there is a job, which it would drive for a minute as long as no worker is there.</summary>
    private static readonly string[] Names = ["Housekeeping", "Warmup", "InferenceJobs", "InferenceJobsServiceBus"];

    private const string Fine = """{"Data":{"job":"{\"id\":\"order-7\",\"body\":{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"ask\"}]}}"},"Metadata":{"Id":"\"79e2\"","DequeueCount":"1"}}""";

    [Fact]
    public async Task Only_the_host_gets_at_them_and_needs_no_key()
    {
        await using (TestServer alone = await TestServer.StartGatewayAsync())
        {
            foreach (string name in Names) Assert.Equal(HttpStatusCode.NotFound, (await alone.Client.SendAsync(Call(name, Fine))).StatusCode);
        }

        await using TestServer server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = true, ApiKeys = ["one"] });
        foreach (string name in Names)
        {
            Assert.Equal(HttpStatusCode.NotFound, (await server.PostAsync($"/{name}", Fine)).StatusCode);
            foreach (string header in (string[])["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "x-ms-invocation-id"])
            {
                HttpRequestMessage outside = Call(name, Fine);
                outside.Headers.Add(header, "x");
                Assert.Equal(HttpStatusCode.NotFound, (await server.Client.SendAsync(outside)).StatusCode);
            }

            Assert.Equal(HttpStatusCode.OK, (await InvokeAsync(server, name, Fine)).Status);
        }
    }

    [Fact]
    public async Task A_job_goes_its_way_once_and_what_can_never_run_is_put_aside_and_acknowledged()
    {
        await using TestServer server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = true });
        for (int time = 0; time < 2; time++)
        {
            (HttpStatusCode status, JsonElement body) = await InvokeAsync(server, "InferenceJobs", Fine);
            Assert.Equal((HttpStatusCode.OK, JsonValueKind.Object, 0), (status, body.GetProperty("Outputs").ValueKind, body.GetProperty("Logs").GetArrayLength()));
        }

        IObjectStore store = server.Queue.Transport.Store;
        Assert.Equal(["jobs/order-7/input.jsonl"], await NamesAsync(store, "jobs/"));
        Assert.Single(await NamesAsync(store, "active-batches/"));

        (HttpStatusCode poisoned, JsonElement told) = await InvokeAsync(server, "InferenceJobs", """{"Data":{"job":"[\"no job\",\"{}\"]"},"Metadata":{"IdArray":"[\"p1\",\"p2\"]"}}""");
        Assert.Equal(HttpStatusCode.OK, poisoned);
        Assert.Contains("not valid JSON", told.GetProperty("Logs")[0].GetString(), StringComparison.Ordinal);
        Assert.Equal(["inference-jobs-poison/p1.json", "inference-jobs-poison/p2.json"], await NamesAsync(store, "inference-jobs-poison/"));
        using JsonDocument letter = JsonDocument.Parse((await store.GetAsync("inference-jobs-poison/p1.json", default))!.Content);
        Assert.Equal(("the message is not valid JSON", "no job"), (letter.RootElement.GetProperty("reason").GetString(), letter.RootElement.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task What_is_no_invocation_is_left_to_the_host()
    {
        await using TestServer server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = true });
        (HttpStatusCode status, JsonElement body) = await InvokeAsync(server, "InferenceJobs", "{}");
        Assert.Equal((HttpStatusCode.BadRequest, "bad_invocation"), (status, body.GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_store_that_is_away_is_waited_for_and_then_the_message_is_given_back()
    {
        WatchedTime time = new();
        await using TestServer server = await TestServer.StartLoadingAsync((_, _, _) => throw new InvalidOperationException(), new ServeOptions { Role = ServeRole.Gateway, IsBehindHost = true }, time);
        await server.UntilAsync(ServingPhase.Ready);
        // A file where a folder should be.
        string inTheWay = Path.Combine(server.DataFolder, "queue", "store", "jobs");
        await File.WriteAllTextAsync(inTheWay, "");
        Task<(HttpStatusCode Status, JsonElement Body)> lost = InvokeAsync(server, "InferenceJobs", Fine);
        // Twenty seconds in pauses of two.
        Assert.Equal(10, await time.PassAsync<JobTrigger>(lost));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "queue_unreachable"), ((await lost).Status, (await lost).Body.GetProperty("error").GetProperty("code").GetString()));

        Task<(HttpStatusCode Status, JsonElement Body)> kept = InvokeAsync(server, "InferenceJobs", Fine);
        await time.UntilAwaitedByAsync<JobTrigger>();
        File.Delete(inTheWay);
        Assert.Equal(1, await time.PassAsync<JobTrigger>(kept));
        Assert.Equal(HttpStatusCode.OK, (await kept).Status);
    }

    [Fact]
    public async Task The_hosts_names_for_its_calls_stand_in_the_traces()
    {
        ConcurrentBag<string> told = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => told.Add($"{activity.GetTagItem("faas.invocation_id")}"),
        };
        ActivitySource.AddActivityListener(listener);
        await using TestServer server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = true });
        HttpRequestMessage proxied = new(HttpMethod.Get, "/v1/models"), own = Call("Warmup", """{"Data":{"warmupContext":{}}}""");
        string[] names = [Guid.NewGuid().ToString(), own.Headers.GetValues("X-Azure-Functions-InvocationId").Single()];
        proxied.Headers.Add("x-ms-invocation-id", names[0]);
        // Of a caller who would like to be called so.
        proxied.Headers.Add("X-Azure-Functions-InvocationId", "forged");
        await server.Client.SendAsync(proxied);
        await server.Client.SendAsync(own);
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
        // A span ends a moment after its answer.
        while (names.Except(told).Any())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static HttpRequestMessage Call(string name, string body)
    {
        HttpRequestMessage request = TestServer.Post($"/{name}", Encoding.UTF8.GetBytes(body));
        request.Headers.Add("X-Azure-Functions-InvocationId", Guid.NewGuid().ToString());
        return request;
    }

    private static async Task<(HttpStatusCode Status, JsonElement Body)> InvokeAsync(TestServer server, string name, string body)
    {
        HttpResponseMessage response = await server.Client.SendAsync(Call(name, body));
        return (response.StatusCode, await TestServer.JsonAsync(response));
    }

    private static async Task<string[]> NamesAsync(IObjectStore store, string folder)
    {
        List<string> names = [];
        await foreach (ObjectEntry entry in store.ListAsync(folder, default)) names.Add(entry.Name);
        return [.. names.Order(StringComparer.Ordinal)];
    }
}
