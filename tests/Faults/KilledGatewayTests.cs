using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Faults;

/// <summary>A gateway is killed and started again while streams run and requests wait: connections are lost, results are not.</summary>
public sealed class KilledGatewayTests(ITestOutputHelper output) : IDisposable
{
    private const int Kills = 3, Streams = 6, Waiting = 10;

    private readonly string _data = Directory.CreateTempSubdirectory("r1-gateway-").FullName;

    [Fact]
    public async Task A_gateway_killed_amid_streams_and_accepted_requests_loses_no_result()
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        await using var worker = await StartAsync("worker", "--model", TestModels.Nano.Path);
        List<string> streamed = [], accepted = [];
        for (var kill = 0; kill < Kills; kill++)
        {
            await using var gateway = await StartAsync("gateway");
            var streams =
                await Task.WhenAll(
                    Enumerable.Range(0, Streams).Select(i => SendAsync(gateway, Sum(i), ",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":900")));
            streamed.AddRange(await Task.WhenAll(streams.Select(IdAsync)));
            var answers = await Task.WhenAll(Enumerable.Range(0, Waiting).Select(i => SendAsync(gateway, Sum(i), "", "respond-async")));
            Assert.All(answers, answer => Assert.Equal(System.Net.HttpStatusCode.Accepted, answer.StatusCode));
            accepted.AddRange(answers.Select(answer => Assert.Single(answer.Headers.GetValues("x-r1-request-id"))));
            using StreamReader reader = new(await streams[random.Next(Streams)].Content.ReadAsStreamAsync());
            for (var line = random.Next(20); line > 0 && await reader.ReadLineAsync() is not null; line--) { }
            await gateway.KillAsync();
        }

        await using var back = await StartAsync("gateway");
        var right = 0;
        for (var i = 0; i < accepted.Count; i++)
        {
            var record = await EndAsync(back, accepted[i]);
            Assert.Equal("finished", record.GetProperty("status").GetString());
            var text = record.GetProperty("response").GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.Trim();
            (var a, var b) = Sum(i % Waiting);
            Assert.Equal($"{a + b}", text);
            right++;
        }

        HashSet<string> results = [];
        await using EmbeddedTransport transport = new(Path.Combine(_data, "queue"), TimeProvider.System);
        await transport.OpenAsync(FaultWorld.Cancelled);
        ResultStore store = new(transport.Store);
        foreach (var id in streamed)
        {
            await FaultWorld.UntilAsync(async () => await store.ExistsAsync(new RequestId(id), FaultWorld.Cancelled));
            Assert.Equal(RequestOutcome.Finished, (await store.FindAsync(new RequestId(id), FaultWorld.Cancelled))!.Outcome);
            Assert.True(results.Add(id));
        }

        var left = await transport.Queue.StatisticsAsync(WorkClass.Interactive, FaultWorld.Cancelled);
        Assert.Equal((0, 0), (left.Waiting, left.DeadLetters));
        output.WriteLine(
            $"gateway killed {Kills} times: streams in {streamed.Count}, results out {results.Count}; accepted requests in {accepted.Count}, right "
            + $"answers out {right}; duplicates 0, dead letters {left.DeadLetters}");
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private static (int A, int B) Sum(int i) => (11 + (i * 37 % 89), 10 + (i * 53 % 90));

    private static async Task<HttpResponseMessage> SendAsync(ServeProcess gateway, (int A, int B) sum, string more, string? prefer = null)
    {
        var request = ServeProcess.Ask($"What is {sum.A} + {sum.B}?", more);
        if (prefer is not null) request.Headers.Add("Prefer", prefer);
        var response = await gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        return response;
    }

    /// <summary>The request's id, once the stream has begun: the request is in the queue then.</summary>
    private static async Task<string> IdAsync(HttpResponseMessage stream)
    {
        var buffer = new byte[4096];
        StringBuilder text = new();
        var body = await stream.Content.ReadAsStreamAsync();
        const string Start = "\"id\":\"chatcmpl-";
        while (!text.ToString().Contains(Start, StringComparison.Ordinal))
            text.Append(Encoding.UTF8.GetString(buffer, 0, await body.ReadAsync(buffer)));
        return text.ToString().Split(Start)[1].Split('"')[0];
    }

    private static async Task<JsonElement> EndAsync(ServeProcess gateway, string id)
    {
        JsonElement record = default;
        await FaultWorld.UntilAsync(async () =>
        {
            using var document = JsonDocument.Parse(await gateway.Client.GetByteArrayAsync($"/v1/requests/{id}"));
            record = document.RootElement.Clone();
            return record.GetProperty("status").GetString() != "queued";
        });
        return record;
    }

    private Task<ServeProcess> StartAsync(string role, params string[] more) =>
        ServeProcess.StartInAsync(_data, ["--role", role, "--lease", "3", .. more]);
}
