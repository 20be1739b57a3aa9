using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Clients that come back for their answers, over processes that are killed.</summary>
public sealed class ComeBackTests : IDisposable
{
    private const string Secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    private readonly string _data = Directory.CreateTempSubdirectory("r1-back-").FullName;

    [Fact]
    public async Task A_gateway_killed_after_202_has_the_result_when_it_is_back_and_one_key_is_one_request()
    {
        string id;
        await using (var first = await StartAsync("gateway"))
        {
            var accepted = await SendAsync(first, "What is 12 + 30?", "", ("Prefer", "respond-async"), ("Idempotency-Key", "k"));
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
            id = Header(accepted, "x-r1-request-id");
            await first.KillAsync();
        }

        await using ServeProcess gateway = await StartAsync("gateway"), worker = await StartAsync("worker");
        var record = await EndAsync(gateway, id);
        Assert.Equal("finished", record.GetProperty("status").GetString());
        Assert.Equal("42", Answer(record.GetProperty("response")));
        var again = await SendAsync(gateway, "What is 12 + 30?", "", ("Idempotency-Key", "k"));
        Assert.Equal(("true", id), (Header(again, "idempotency-replayed"), Header(again, "x-r1-request-id")));
        Assert.Equal("42", Answer(await JsonAsync(again)));

        var twice = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => SendAsync(gateway, "What is 347 + 85?", "", ("Idempotency-Key", "twice"))));
        Assert.Single(twice.Select(one => Header(one, "x-r1-request-id")).Distinct());
        Assert.Single(twice, one => one.Headers.Contains("idempotency-replayed"));
        foreach (var one in twice) Assert.Equal("432", Answer(await JsonAsync(one)));
    }

    [Fact]
    public async Task A_stream_that_is_taken_back_frees_its_slot()
    {
        // One thread, and room for one or two choices at a time: all of them take longer than the worker may take to become idle.
        await using ServeProcess gateway = await StartAsync("gateway"), worker = await StartAsync("worker", "--threads", "1", "--kv-memory", "8MB");
        var stream = await SendAsync(gateway, "What is 12 + 30?", ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":4000,\"n\":16");
        await UntilAsync(async () => (await worker.LoadAsync()).Running > 0);
        var record = await JsonAsync(await gateway.Client.DeleteAsync($"/v1/requests/{Header(stream, "x-r1-request-id")}"));
        if (record.GetProperty("status").GetString() == "finished")
            Assert.Fail("It ended before it was taken back: the stream is too short for this machine.");
        Assert.Equal("cancelled", record.GetProperty("status").GetString());
        await worker.UntilIdleAsync();
        Assert.Contains("cancelled", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_webhook_is_called_until_it_takes_the_result_by_a_gateway_that_was_killed_before()
    {
        var port = QuietPorts.Take();
        using HttpListener listener = new() { Prefixes = { $"http://127.0.0.1:{port}/" } };
        listener.Start();
        string id;
        await using (var first = await StartAsync("gateway", "--webhook-host", "127.0.0.1"))
        {
            var accepted =
                await SendAsync(first, "What is 12 + 30?", $",\"webhook\":{{\"url\":\"http://127.0.0.1:{port}/results\"}}",
                    ("Prefer", "respond-async"));
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
            id = Header(accepted, "x-r1-request-id");
            var refused = await SendAsync(first, "What is 12 + 30?", ",\"webhook\":\"http://localhost:1/\"");
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            await first.KillAsync();
        }

        await using ServeProcess gateway = await StartAsync("gateway", "--webhook-host", "127.0.0.1"), worker = await StartAsync("worker");
        foreach (var status in (int[])[500, 302, 200])
        {
            var call = await listener.GetContextAsync().WaitAsync(TimeSpan.FromSeconds(60));
            using StreamReader reader = new(call.Request.InputStream);
            var body = await reader.ReadToEndAsync();
            Assert.Equal((id, "POST", "/results"), (call.Request.Headers["webhook-id"], call.Request.HttpMethod, call.Request.Url!.AbsolutePath));
            var timestamp = call.Request.Headers["webhook-timestamp"]!;
            Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(long.Parse(timestamp, CultureInfo.InvariantCulture)) - TimeProvider.System.GetUtcNow(),
                TimeSpan.FromMinutes(-1), TimeSpan.FromMinutes(1));
            var signature = HMACSHA256.HashData(Convert.FromBase64String(Secret), Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}"));
            Assert.Equal("v1," + Convert.ToBase64String(signature), call.Request.Headers["webhook-signature"]);
            using var sent = JsonDocument.Parse(body);
            Assert.Equal("request.finished", sent.RootElement.GetProperty("type").GetString());
            Assert.Equal("42", Answer(sent.RootElement.GetProperty("data").GetProperty("response")));
            call.Response.StatusCode = status;
            if (status == 302) call.Response.RedirectLocation = $"http://127.0.0.1:{port}/elsewhere";
            call.Response.Close();
        }

        await UntilAsync(() => Task.FromResult(!File.Exists(Path.Combine(_data, "queue", "store", "webhooks", $"{id}.json"))));
    }

    [Fact]
    public async Task A_flood_of_one_key_lets_anothers_requests_through()
    {
        const int Flood = 500, Asked = 5;
        await using ServeProcess gateway = await StartAsync("gateway", "--api-key", "a,b", "--max-wait", "600"),
            worker = await StartAsync("worker", "--kv-memory", "4MB");
        var ended = 0;
        Task[] flood = [.. Enumerable.Range(0, Flood).Select(async i =>
        {
            var response = await SendAsync(gateway, $"What is {10 + (i % 80)} + 34?", "", ("Authorization", "Bearer a"));
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Interlocked.Increment(ref ended);
        })];
        await UntilAsync(() => Task.FromResult(Volatile.Read(ref ended) > 0));
        List<int> before = [];
        for (var i = 0; i < Asked && Volatile.Read(ref ended) < Flood / 2; i++)
        {
            var then = Volatile.Read(ref ended);
            var response = await SendAsync(gateway, "What is 12 + 30?", "", ("Authorization", "Bearer b"));
            before.Add(Volatile.Read(ref ended) - then);
            Assert.Equal("42", Answer(await JsonAsync(response)));
        }

        await Task.WhenAll(flood);
        Assert.NotEmpty(before);
        // What was let in, what runs, and what the worker holds before its engine.
        Assert.All(before, others => Assert.InRange(others, 0, 400));
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private Task<ServeProcess> StartAsync(string role, params string[] more) =>
        ServeProcess.StartInAsync(_data, new Dictionary<string, string> { ["R1_WEBHOOK_SECRET"] = "whsec_" + Secret },
            ["--role", role, "--lease", "3", .. more]);

    private static async Task<HttpResponseMessage> SendAsync(ServeProcess process, string question, string more,
        params (string Name, string Value)[] headers)
    {
        var request = ServeProcess.Ask(question, more);
        foreach ((var name, var value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return await process.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static async Task<JsonElement> EndAsync(ServeProcess process, string id)
    {
        JsonElement record = default;
        await UntilAsync(async () =>
        {
            record = await JsonAsync(await process.Client.GetAsync($"/v1/requests/{id}"));
            return record.GetProperty("status").GetString() != "queued";
        });
        return record;
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        while (!await holds()) limit.Token.ThrowIfCancellationRequested();
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        using var document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        return document.RootElement.Clone();
    }

    private static string Answer(JsonElement response) =>
        response.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.Trim();

    private static string Header(HttpResponseMessage response, string name) => Assert.Single(response.Headers.GetValues(name));
}
