using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Tests.Commands;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Gateways and workers as processes of their own over one folder.</summary>
public sealed class RoleTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-roles-").FullName;

    [Fact]
    public async Task A_gateway_loads_no_model_takes_requests_before_a_worker_is_there_and_knows_its_workers()
    {
        await using var gateway = await StartAsync("gateway");
        await gateway.UntilSaidAsync("no worker is there yet");
        Assert.Equal(0, (await GetAsync(gateway, "/health/ready")).GetProperty("workers").GetInt32());
        var late = await gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"deadline\":0.2"));
        // No worker was there in time: that is not the request's fault.
        Assert.Equal(HttpStatusCode.ServiceUnavailable, late.StatusCode);
        Assert.NotNull(late.Headers.RetryAfter?.Delta);
        var early = gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"));
        await UntilAsync(async () => (await StatsAsync()).GetProperty("waiting").GetInt32() == 2);

        await using (var worker = await StartAsync("worker"))
        {
            Assert.Equal("42", await AnswerAsync(await early));
            await UntilAsync(async () => (await GetAsync(gateway, "/health/ready")).GetProperty("workers").GetInt32() == 1);
            JsonElement there = (await GetAsync(worker, "/v1/models")).GetProperty("data"),
                here = (await GetAsync(gateway, "/v1/models")).GetProperty("data");
            Assert.Equal(there.GetRawText(), here.GetRawText());
            var service = await GetAsync(gateway, "/");
            Assert.Equal(("gateway", "embedded"), (service.GetProperty("role").GetString(), service.GetProperty("transport").GetString()));
            Assert.Contains(_data, service.GetProperty("queue").GetString(), StringComparison.Ordinal);
            Assert.Equal("worker", (await GetAsync(worker, "/")).GetProperty("role").GetString());

            var unknown = await gateway.Client.SendAsync(Ask("no-such-model", ""));
            Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
            Assert.Contains("is not served here", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.Contains("onnxruntime", await worker.MappedFilesAsync(), StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("onnxruntime.so", await gateway.MappedFilesAsync(), StringComparison.OrdinalIgnoreCase);
            foreach (var process in (ServeProcess[])[gateway, worker])
                Assert.DoesNotMatch(@"Azure\.(Messaging|Amqp)", await process.MappedFilesAsync());

            worker.SendTerminate();
            Assert.Equal(0, await worker.ExitAsync());
        }

        // The registration went with it.
        await UntilAsync(async () => (await GetAsync(gateway, "/health/ready")).GetProperty("workers").GetInt32() == 0);
    }

    [Fact]
    public async Task A_stream_whose_worker_is_killed_is_completed_by_another_with_every_character_once()
    {
        const string Long = ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":2000";
        await using var gateway = await StartAsync("gateway");
        string text;
        await using (var first = await StartAsync("worker"))
        {
            var response = await gateway.Client.SendAsync(Ask(ServeProcess.Model, Long), HttpCompletionOption.ResponseHeadersRead);
            using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
            StringBuilder read = new();
            while (read.Length < 100) read.Append(TextOf(await reader.ReadLineAsync()));
            await first.KillAsync();
            await using var second = await StartAsync("worker");
            string? last = null;
            while (await reader.ReadLineAsync() is { } line)
            {
                read.Append(TextOf(line));
                if (line.Length > 0) last = line;
            }

            Assert.Equal("data: [DONE]", last);
            text = read.ToString();
            var direct = await second.Client.SendAsync(Ask(ServeProcess.Model, Long));
            Assert.Equal(string.Concat((await direct.Content.ReadAsStringAsync()).Split('\n').Select(TextOf)), text);
        }
    }

    [Theory]
    [InlineData("gateway")]
    [InlineData("worker")]
    public async Task On_SIGTERM_the_stream_in_flight_finishes_and_the_exit_code_is_0(string stopped)
    {
        await using ServeProcess gateway = await StartAsync("gateway", "--grace", "120"), worker = await StartAsync("worker", "--grace", "120");
        using var stream = await gateway.BeginLongStreamAsync(tokens: 1500);
        var ending = stopped == "gateway" ? gateway : worker;
        ending.SendTerminate();
        var rest = await stream.ReadToEndAsync();
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("\"error\"", rest, StringComparison.Ordinal);
        Assert.Equal(0, await ending.ExitAsync());
    }

    [Fact]
    public async Task What_a_worker_cannot_finish_in_its_time_is_handed_back_and_finished_by_another()
    {
        // What is not handed back comes to another only when the lease has run out, long after the test has.
        string[] lease = ["--lease", "300"];
        await using ServeProcess gateway = await ServeProcess.StartInAsync(_data, ["--role", "gateway", .. lease]),
            first = await ServeProcess.StartInAsync(_data, ["--role", "worker", "--grace", "0", .. lease]);
        using var stream = await gateway.BeginLongStreamAsync(tokens: 1500);
        first.SendTerminate();
        Assert.Equal(0, await first.ExitAsync());
        Assert.Contains("is over: 1 requests are handed back", first.Output, StringComparison.Ordinal);
        await using var second = await ServeProcess.StartInAsync(_data, ["--role", "worker", .. lease]);
        var rest = await stream.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2));
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("\"error\"", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_gateways_and_workers_share_a_folder()
    {
        await using ServeProcess one = await StartAsync("gateway"), two = await StartAsync("gateway"), three = await StartAsync("worker"),
            four = await StartAsync("worker");
        await Parallel.ForEachAsync(Enumerable.Range(0, 60), new ParallelOptions { MaxDegreeOfParallelism = 20 }, async (i, _) =>
        {
            (var a, var b) = (11 + (i * 37 % 89), 10 + (i * 53 % 90));
            var response = await (i % 2 == 0 ? one : two).Client.SendAsync(ServeProcess.Ask($"What is {a} + {b}?"));
            Assert.Equal((a + b).ToString(CultureInfo.InvariantCulture), await AnswerAsync(response));
        });
        Assert.Equal((0, 0), ((await StatsAsync()).GetProperty("waiting").GetInt32(), (await StatsAsync()).GetProperty("dead_letters").GetInt32()));
    }

    [Theory]
    [InlineData("R1_STORAGE", "--transport", "storage")]
    [InlineData("R1_SERVICEBUS", "--transport", "servicebus")]
    [InlineData("--model", "--role", "gateway", "--model", "r1-nano")]
    public async Task What_is_not_there_or_makes_no_sense_is_said_in_words(string says, params string[] arguments)
    {
        (var code, var output) = await ServeProcess.RefusedAsync(["--urls", "http://127.0.0.1:0", .. arguments]);
        Assert.Equal(1, code);
        Assert.Contains(says, output, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private Task<ServeProcess> StartAsync(string role, params string[] more) =>
        ServeProcess.StartInAsync(_data, ["--role", role, "--lease", "3", .. more]);

    private static HttpRequestMessage Ask(string model, string more) => new(HttpMethod.Post, "/v1/chat/completions")
    {
        Content = new StringContent($$"""{"model":"{{model}}","messages":[{"role":"user","content":"What is 347 + 85?"}],"temperature":0{{more}}}""",
            Encoding.UTF8, "application/json"),
    };

    private static string TextOf(string? line)
    {
        if (line?.StartsWith("data: {", StringComparison.Ordinal) != true) return "";
        using var chunk = JsonDocument.Parse(line["data: ".Length..]);
        Assert.False(chunk.RootElement.TryGetProperty("error", out _), line);
        var delta = chunk.RootElement.GetProperty("choices")[0].GetProperty("delta");
        return (delta.TryGetProperty("reasoning_content", out var thought) ? thought.GetString() : "")
            + (delta.TryGetProperty("content", out var text) ? text.GetString() : "");
    }

    private static async Task<string> AnswerAsync(HttpResponseMessage response)
    {
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return answer.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.Trim();
    }

    private static async Task<JsonElement> GetAsync(ServeProcess process, string path) =>
        JsonDocument.Parse(await process.Client.GetStringAsync(path)).RootElement;

    private async Task<JsonElement> StatsAsync()
    {
        var (code, output, errors) = await ModelCommandTests.RunAsync("queue", "stats", "--class", "interactive", "--json", "--data", _data);
        Assert.True(code == 0, errors);
        return Assert.Single(JsonDocument.Parse(output).RootElement.GetProperty("queues").EnumerateArray());
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (!await holds()) limit.Token.ThrowIfCancellationRequested();
    }
}
