using System.Net;
using System.Text.Json;
using R1Serverless.Tests.EndToEnd;
using R1Serverless.Tests.Triggers.Host;

namespace R1Serverless.Tests.Triggers;

/// <summary>The published folder under a stand-in for the Functions host, with a worker over the same queue where one is needed.</summary>
[Collection(PublishedAppTests.Name)]
public sealed partial class PublishedAppRunTests(PublishedApp app) : IDisposable
{
    private const string Key = "one", Long = ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":4000,\"n\":16";

    private readonly string _data = Directory.CreateTempSubdirectory("r1-host-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task It_lists_its_functions_and_asks_for_its_own_keys_whatever_the_host_s_environment_says()
    {
        await using var host = await StandInHost.StartAsync(app.Folder, _data, new Dictionary<string, string> { ["R1_API_KEY"] = Key });
        Assert.Equal(FunctionDefinition.In(app.Folder).Select(one => (one.Name, one.Type)), host.Functions.Select(one => (one.Name, one.Type)));
        Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync("/health/live")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync("/v1/models")).StatusCode);
        host.Client.DefaultRequestHeaders.Authorization = new("Bearer", Key);
        await host.UntilReadyAsync();
        Assert.Equal(0, (await JsonAsync(await host.Client.GetAsync("/v1/models"))).GetProperty("data").GetArrayLength());
        // The host's own address, which is in the worker's environment too.
        Assert.DoesNotContain("8080", host.Output, StringComparison.Ordinal);
        await host.Worker.AskStatusAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Without_keys_it_lets_nobody_in()
    {
        await using var host = await StandInHost.StartAsync(app.Folder, _data);
        await host.UntilReadyAsync();
        Assert.Equal(HttpStatusCode.Forbidden, (await host.Client.GetAsync("/v1/models")).StatusCode);
    }

    [Fact]
    public async Task Odd_requests_are_answered_as_without_the_host()
    {
        await using var host = await StartAsync();
        await using var plain =
            await ServeProcess.StartInAsync(Path.Combine(_data, "plain"), new Dictionary<string, string> { ["R1_API_KEY"] = Key }, "--role",
                "gateway");
        (string Method, string Path)[] odd =
        [
            ("HEAD", "/health/live"), ("HEAD", "/v1/models"), ("OPTIONS", "/v1/chat/completions"), ("OPTIONS", "/v1/files"),
                ("DELETE", "/v1/models"), ("PATCH", "/v1/files/x"), ("GET", "/v1/chat/completions"),
            ("GET", "/nothing/here"), ("GET", "/"), ("HEAD", "/"), ("GET", "/v1/models/a/b"), ("GET", "/V1/MODELS"), ("GET", "/v1/files/a%2fb"),
                ("GET", "/v1/requests/%C3%A9"), ("GET", "/v1/models?api-key=x"),
            ("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/metrics"),
        ];
        foreach ((var method, var path) in odd)
        {
            (string Status, string Body) here = await AskAsync(host.Client, method, path), there = await AskAsync(plain.Client, method, path);
            Assert.Equal((method, path, there.Status, there.Body), (method, path, here.Status, here.Body));
        }

        // A client that gives its request the host's own header.
        using HttpRequestMessage forged = new(HttpMethod.Get, "/v1/models");
        forged.Headers.Add("x-ms-invocation-id", "forged");
        Assert.Equal(HttpStatusCode.OK, (await host.Client.SendAsync(forged)).StatusCode);

        static async Task<(string Status, string Body)> AskAsync(HttpClient client, string method, string path)
        {
            using HttpRequestMessage request = new(new HttpMethod(method), path);
            request.Headers.Add("x-request-id", "same");
            request.Headers.Authorization = new("Bearer", Key);
            using var response = await client.SendAsync(request);
            var headers =
                string.Join(' ',
                    response.Headers.Concat(response.Content.Headers)
                    .Where(one => one.Key is "Allow" or "Content-Type" or "X-Request-ID" or "WWW-Authenticate")
                    .Select(one => $"{one.Key}={string.Join(',', one.Value)}"));
            var body = await response.Content.ReadAsStringAsync();
            return ($"{(int)response.StatusCode} {headers}", body.Contains("\"queue\":", StringComparison.Ordinal) ? "the service" : body);
        }
    }

    [Fact]
    public async Task Requests_stream_are_given_up_and_come_in_pieces_as_they_do_without_the_host()
    {
        await using var host = await StartAsync();
        await using var worker = await WorkerAsync();
        using (var stream =
            await host.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"stream\":true"), HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.Equal("text/event-stream", stream.Content.Headers.ContentType?.MediaType);
            Assert.EndsWith("data: [DONE]\n\n", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        using (var stream = await host.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", Long), HttpCompletionOption.ResponseHeadersRead))
        {
            using StreamReader reader = new(await stream.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && !line.Contains("reasoning", StringComparison.Ordinal))
                Assert.DoesNotContain("[DONE]", line, StringComparison.Ordinal);
            Assert.InRange((await worker.LoadAsync()).Running, 1, 16);
        }

        // Its client has gone, long before its end: the worker is free for others.
        await worker.UntilIdleAsync();

        using HttpRequestMessage pieces =
            new(HttpMethod.Post,
            "/v1/chat/completions")
            { Content = new Pieces(await ServeProcess.Ask("What is 347 + 85?").Content!.ReadAsByteArrayAsync()) };
        pieces.Headers.TransferEncodingChunked = true;
        Assert.Equal("432", Answer(await JsonAsync(await host.Client.SendAsync(pieces))));
    }

    [Fact]
    public async Task Messages_timer_and_warm_up_are_taken()
    {
        await using var host = await StartAsync();
        Assert.Null(await host.InvokeAsync("Warmup", "{}"));
        Assert.Equal((1, false), await host.DeliverAsync("InferenceJobs", "79e2", Job("sum", "What is 12 + 30?")));
        // The same again, as after an answer that got lost.
        Assert.Equal((1, false), await host.DeliverAsync("InferenceJobs", "79e2", Job("sum", "What is 12 + 30?")));
        Assert.Equal((1, false), await host.DeliverAsync("InferenceJobs", "m-2", "poison"));
        Assert.Contains("not valid JSON", await File.ReadAllTextAsync(Stored("inference-jobs-poison/m-2.json")), StringComparison.Ordinal);
        await Eventually.HoldsAsync(() => host.Output.Contains("m-2 was put aside", StringComparison.Ordinal),
            () => $"the log says so; {host.Output}");

        await using var worker = await WorkerAsync();
        // Nobody waits for these but the timer.
        await Eventually.HoldsAsync(
            async () =>
            {
                Assert.Null(await host.InvokeAsync("Housekeeping", """{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}"""));
                return File.Exists(Stored("jobs/sum/result.json"));
            },
            () => "the job has its result");
        Assert.Equal("42", await ResultAsync("sum"));
    }

    [Fact]
    public async Task A_job_whose_store_is_away_when_the_host_stops_is_handed_back_and_runs_once()
    {
        var inTheWay = Stored("jobs");
        await using (var first = await StartAsync())
        {
            await File.WriteAllTextAsync(inTheWay, "");
            var delivery = first.InvokeAsync("InferenceJobs", StandInHost.Message("79e2", Job("sum", "What is 12 + 30?"), 1));
            await Eventually.HoldsAsync(() => first.Worker.Running.Count == 1, "the job is being taken");
            await first.StopAsync(TimeSpan.Zero);
            // The host keeps a message whose function failed.
            Assert.NotNull(await delivery);
            Assert.Equal(0, first.ExitCode);
        }

        File.Delete(inTheWay);
        await using var second = await StartAsync();
        await using var worker = await WorkerAsync();
        Assert.Null(await second.InvokeAsync("InferenceJobs", StandInHost.Message("79e2", Job("sum", "What is 12 + 30?"), 2)));
        await Eventually.HoldsAsync(() => File.Exists(Stored("jobs/sum/result.json")), "the job has its result");
        Assert.Equal("42", await ResultAsync("sum"));
        Assert.Single(Directory.GetFiles(Stored("jobs/sum"), "result.json"));
    }

    [Fact]
    public async Task Killed_in_the_middle_and_started_again_it_has_lost_nothing()
    {
        await using var worker = await WorkerAsync();
        string waited;
        await using (var first = await StartAsync())
        {
            using var stream = await first.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", Long), HttpCompletionOption.ResponseHeadersRead);
            using StreamReader reader = new(await stream.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && !line.Contains("reasoning", StringComparison.Ordinal))
                Assert.DoesNotContain("[DONE]", line, StringComparison.Ordinal);
            var later = ServeProcess.Ask("What is 347 + 85?");
            later.Headers.Add("Prefer", "respond-async");
            waited = (await JsonAsync(await first.Client.SendAsync(later))).GetProperty("id").GetString()!;
            Assert.Null(await first.InvokeAsync("InferenceJobs", StandInHost.Message("79e2", Job("sum", "What is 12 + 30?"), 1)));
            await first.KillAsync();
            await Assert.ThrowsAnyAsync<IOException>(async () => await reader.ReadToEndAsync());
        }

        await using var second = await StartAsync();
        // What was not acknowledged in time comes again.
        Assert.Null(await second.InvokeAsync("InferenceJobs", StandInHost.Message("79e2", Job("sum", "What is 12 + 30?"), 2)));
        JsonElement record = default;
        await Eventually.HoldsAsync(
            async () => (record = await JsonAsync(await second.Client.GetAsync($"/v1/requests/{waited}"))).GetProperty("status").GetString()
            != "queued", () => $"{record}");
        Assert.Equal("432", Answer(record.GetProperty("response")));
        await Eventually.HoldsAsync(() => File.Exists(Stored("jobs/sum/result.json")), "the job has its result");
    }

    [Fact]
    public async Task Told_to_stop_it_lets_answers_end_and_exits_in_order()
    {
        await using var host = await StartAsync();
        await using var worker = await WorkerAsync();
        using var stream =
            await host.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":200"),
                HttpCompletionOption.ResponseHeadersRead);
        var stopping = host.StopAsync(TimeSpan.FromMinutes(1));
        Assert.EndsWith("data: [DONE]\n\n", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await stopping;
        Assert.Equal(0, host.ExitCode);
    }

    private static string Job(string id, string question) =>
        $$$"""{"id":"{{{id}}}","body":{"model":"{{{ServeProcess.Model}}}","temperature":0,"messages":[{"role":"user","content":"{{{question}}}"}]}}""";

    private async Task<string> ResultAsync(string job) =>
        Answer(JsonDocument.Parse(await File.ReadAllBytesAsync(Stored($"jobs/{job}/result.json"))).RootElement.GetProperty("response")
            .GetProperty("body"));

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement;

    private static string Answer(JsonElement answer) =>
        answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.Trim();

    private string Stored(string name) => Path.Combine(_data, "r1serverless", "queue", "store", name);

    private Task<ServeProcess> WorkerAsync() => ServeProcess.StartInAsync(Path.Combine(_data, "r1serverless"), "--role", "worker");

    private async Task<StandInHost> StartAsync()
    {
        var host = await StandInHost.StartAsync(app.Folder, _data, new Dictionary<string, string> { ["R1_API_KEY"] = Key });
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
            foreach (var piece in _body.Chunk(7))
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
