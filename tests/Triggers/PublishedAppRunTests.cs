using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Triggers;

/// <summary>The published folder under a stand-in for the Functions host, with a worker over the same queue where one is needed.</summary>
[Collection(PublishedAppTests.Name)]
public sealed class PublishedAppRunTests(PublishedApp app) : IDisposable
{
    private const string Key = "one", Long = ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":4000,\"n\":16";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly string _data = Directory.CreateTempSubdirectory("r1-host-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task It_listens_where_the_host_says_whatever_else_the_environment_says_and_asks_for_its_own_keys()
    {
        await using StandInHost host = await StandInHost.StartAsync(app.Folder, _data, new Dictionary<string, string> { ["R1_API_KEY"] = Key });
        Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync("/health/live")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync("/v1/models")).StatusCode);
        host.Client.DefaultRequestHeaders.Authorization = new("Bearer", Key);
        await host.UntilReadyAsync();
        using JsonDocument models = JsonDocument.Parse(await host.Client.GetStringAsync("/v1/models"));
        Assert.Equal(0, models.RootElement.GetProperty("data").GetArrayLength());
        Assert.Contains($"Listening on {host.Address.GetLeftPart(UriPartial.Authority)}", host.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("8080", host.Output, StringComparison.Ordinal);
        // The host has nothing at these addresses for anybody.
        foreach (FunctionFile one in host.Functions.Where(one => !one.IsHttp))
            Assert.Equal(HttpStatusCode.NotFound, (await host.Client.PostAsync($"/{one.Name}", JsonContent.Create(1))).StatusCode);
    }

    [Fact]
    public async Task Without_keys_it_lets_nobody_in()
    {
        await using StandInHost host = await StandInHost.StartAsync(app.Folder, _data);
        await host.UntilReadyAsync();
        Assert.Equal(HttpStatusCode.Forbidden, (await host.Client.GetAsync("/v1/models")).StatusCode);
    }

    [Fact]
    public async Task Requests_stream_are_given_up_and_come_in_pieces_as_they_do_without_the_host()
    {
        await using StandInHost host = await StartAsync();
        await using ServeProcess worker = await WorkerAsync();
        using (HttpResponseMessage stream = await host.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"stream\":true"), HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.Equal("text/event-stream", stream.Content.Headers.ContentType?.MediaType);
            Assert.EndsWith("data: [DONE]\n\n", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        using (HttpResponseMessage stream = await host.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", Long), HttpCompletionOption.ResponseHeadersRead))
        {
            using StreamReader reader = new(await stream.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && !line.Contains("reasoning", StringComparison.Ordinal)) Assert.DoesNotContain("[DONE]", line, StringComparison.Ordinal);
            Assert.InRange((await worker.LoadAsync()).Running, 1, 16);
        }

        // Its client has gone, long before its end: the worker is free for others.
        await worker.UntilIdleAsync();

        using HttpRequestMessage pieces = new(HttpMethod.Post, "/v1/chat/completions") { Content = new Pieces(await ServeProcess.Ask("What is 347 + 85?").Content!.ReadAsByteArrayAsync()) };
        pieces.Headers.TransferEncodingChunked = true;
        Assert.Equal("432", Answer(await JsonAsync(await host.Client.SendAsync(pieces))));
    }

    [Fact]
    public async Task Messages_timer_and_warm_up_are_answered_as_the_host_needs_it()
    {
        await using StandInHost host = await StartAsync();
        Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(host, "Warmup", """{"Data":{"warmupContext":{}}}"""));
        Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(host, "InferenceJobs", Job("sum", "What is 12 + 30?")));
        // The same again, as after an answer that got lost, and several at once, one of them poison.
        Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(host, "InferenceJobs", Job("sum", "What is 12 + 30?")));
        string[] several = [Message("more", "What is 347 + 85?"), "poison"];
        string many = JsonSerializer.Serialize(new { Data = new { job = JsonSerializer.Serialize(several) }, Metadata = new { MessageIdArray = "[\"m-1\",\"m-2\"]" } });
        Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(host, "InferenceJobsServiceBus", many));
        Assert.Contains("not valid JSON", await File.ReadAllTextAsync(Stored("inference-jobs-poison/m-2.json")), StringComparison.Ordinal);
        await UntilAsync(() => Task.FromResult(host.Output.Contains("m-2 was put aside", StringComparison.Ordinal)));

        await using ServeProcess worker = await WorkerAsync();
        // Nobody waits for these but the timer.
        await UntilAsync(async () =>
        {
            Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(host, "Housekeeping", """{"Data":{"timer":{"Schedule":{},"IsPastDue":false}},"Metadata":{}}"""));
            return File.Exists(Stored("jobs/sum/result.json")) && File.Exists(Stored("jobs/more/result.json"));
        });
        Assert.Equal("42", Answer(JsonDocument.Parse(await File.ReadAllBytesAsync(Stored("jobs/sum/result.json"))).RootElement.GetProperty("response").GetProperty("body")));
        Assert.Equal("432", Answer(JsonDocument.Parse(await File.ReadAllBytesAsync(Stored("jobs/more/result.json"))).RootElement.GetProperty("response").GetProperty("body")));
    }

    [Fact]
    public async Task Killed_in_the_middle_and_started_again_it_has_lost_nothing()
    {
        await using ServeProcess worker = await WorkerAsync();
        string waited;
        await using (StandInHost first = await StartAsync())
        {
            using HttpResponseMessage stream = await first.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", Long), HttpCompletionOption.ResponseHeadersRead);
            using StreamReader reader = new(await stream.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && !line.Contains("reasoning", StringComparison.Ordinal)) Assert.DoesNotContain("[DONE]", line, StringComparison.Ordinal);
            HttpRequestMessage later = ServeProcess.Ask("What is 347 + 85?");
            later.Headers.Add("Prefer", "respond-async");
            waited = (await JsonAsync(await first.Client.SendAsync(later))).GetProperty("id").GetString()!;
            Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(first, "InferenceJobs", Job("sum", "What is 12 + 30?")));
            await first.KillAsync();
            await Assert.ThrowsAnyAsync<IOException>(async () => await reader.ReadToEndAsync());
        }

        await using StandInHost second = await StartAsync();
        // What was not acknowledged in time comes again.
        Assert.Equal((200, JsonValueKind.Object), await OutputsAsync(second, "InferenceJobs", Job("sum", "What is 12 + 30?")));
        JsonElement record = default;
        await UntilAsync(async () => (record = await JsonAsync(await second.Client.GetAsync($"/v1/requests/{waited}"))).GetProperty("status").GetString() != "queued");
        Assert.Equal("432", Answer(record.GetProperty("response")));
        await UntilAsync(() => Task.FromResult(File.Exists(Stored("jobs/sum/result.json"))));
    }

    private static string Message(string id, string question) =>
        $$$"""{"id":"{{{id}}}","body":{"model":"{{{ServeProcess.Model}}}","temperature":0,"messages":[{"role":"user","content":"{{{question}}}"}]}}""";

    /// <summary>As the host writes it: the message as JSON in a string.</summary>
    private static string Job(string id, string question) => JsonSerializer.Serialize(new
    {
        Data = new { job = JsonSerializer.Serialize(Message(id, question)) },
        Metadata = new { DequeueCount = "1", Id = "\"79e2-1\"", PopReceipt = "\"AgAAAA\"", sys = new { MethodName = "InferenceJobs", UtcNow = "2026-11-26T19:00:00Z", RandGuid = "5f0c" } },
    });

    private static async Task<(int Status, JsonValueKind Outputs)> OutputsAsync(StandInHost host, string function, string body)
    {
        (int status, JsonElement answer) = await host.InvokeAsync(function, body);
        return (status, answer.GetProperty("Outputs").ValueKind);
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response) => JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement;

    private static string Answer(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.Trim();

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        using CancellationTokenSource limit = new(Limit);
        using PeriodicTimer polls = new(TimeSpan.FromMilliseconds(50));
        while (!await isSo()) await polls.WaitForNextTickAsync(limit.Token);
    }

    private string Stored(string name) => Path.Combine(_data, "r1serverless", "queue", "store", name);

    private Task<ServeProcess> WorkerAsync() => ServeProcess.StartInAsync(Path.Combine(_data, "r1serverless"), "--role", "worker");

    private async Task<StandInHost> StartAsync()
    {
        StandInHost host = await StandInHost.StartAsync(app.Folder, _data, new Dictionary<string, string> { ["R1_API_KEY"] = Key });
        host.Client.DefaultRequestHeaders.Authorization = new("Bearer", Key);
        await host.UntilReadyAsync();
        return host;
    }

    /// <summary>A body of unknown length, a few bytes at a time.</summary>
    private sealed class Pieces : HttpContent
    {
        private readonly byte[] _body;

        public Pieces(byte[] body)
        {
            _body = body;
            Headers.ContentType = new("application/json");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            foreach (byte[] piece in _body.Chunk(7))
            {
                await stream.WriteAsync(piece);
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
