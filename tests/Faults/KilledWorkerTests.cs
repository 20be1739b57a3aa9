using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using R1Serverless.Queues;
using R1Serverless.Tests.Commands;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Faults;

/// <summary>Workers are killed again and again while a batch runs: every line has its answer once, the same as without any of that.</summary>
public sealed class KilledWorkerTests(ITestOutputHelper output) : IDisposable
{
    private const int Lines = 300, Kills = 20, Step = Lines / (Kills + 1);

    private readonly string _data = Directory.CreateTempSubdirectory("r1-killed-").FullName;

    [Fact]
    public async Task Workers_killed_twenty_times_in_a_batch_leave_each_line_answered_once()
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        await using var gateway = await StartAsync("gateway");
        List<Task<ServeProcess>> workers = [];
        try
        {
            // One batch is enough, unless processes start so slowly that it ends before the last of them is killed.
            for (int kills = 0, batches = 0; kills < Kills; batches++)
            {
                Assert.InRange(batches, 0, Kills / 4);
                kills += await KillInBatchAsync(gateway, workers, random, Kills - kills);
            }
        }
        finally
        {
            foreach (var worker in workers) await (await worker).DisposeAsync();
        }
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    /// <summary>Runs a batch to its end and kills workers meanwhile; how many.</summary>
    private async Task<int> KillInBatchAsync(ServeProcess gateway, List<Task<ServeProcess>> workers, Random random, int most)
    {
        var batch = await CreateAsync(gateway);
        // The gateway drives the first batch before any worker is there to do so.
        await FaultWorld.UntilAsync(async () => (await BatchAsync(gateway, batch)).GetProperty("status").GetString() != "validating");
        while (workers.Count < 2) workers.Add(StartWorkerAsync());
        var kills = 0;
        for (; kills < most; kills++)
        {
            var after = (kills * Step) + 1 + random.Next(Step - 1);
            // Results go with the batch's end.
            var hasEnded = false;
            await FaultWorld.UntilAsync(async () => Results() >= after || (hasEnded = !await IsRunningAsync(gateway, batch)));
            if (hasEnded) break;
            var victim = await TakeAsync(workers, random);
            await victim.KillAsync();
            await victim.DisposeAsync();
            workers.Add(StartWorkerAsync());
        }

        await FaultWorld.UntilAsync(async () => !await IsRunningAsync(gateway, batch));
        await CheckAsync(gateway, await workers[0], await BatchAsync(gateway, batch), kills);
        return kills;
    }

    private static (int A, int B) Sum(int line) => (11 + (line * 37 % 89), 10 + (line * 53 % 90));

    private static string Body(int line) =>
        $$"""{"model":"{{ServeProcess.Model}}","temperature":0,"messages":[{"role":"user","content":"What is {{Sum(line).A}} + {{Sum(line).B}}?"}]}""";

    private static async Task<string> CreateAsync(ServeProcess gateway)
    {
        var lines =
            string.Concat(
            Enumerable.Range(0, Lines)
            .Select(line => $$"""{"custom_id":"line-{{line}}","method":"POST","url":"/v1/chat/completions","body":{{Body(line)}}}""" + "\n"));
        using MultipartFormDataContent form =
            new() { { new StringContent("batch"), "purpose" }, { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "lines.jsonl" } };
        var file = (await JsonAsync(await gateway.Client.PostAsync("/v1/files", form))).GetProperty("id").GetString()!;
        using StringContent call =
            new($$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""", Encoding.UTF8, "application/json");
        return (await JsonAsync(await gateway.Client.PostAsync("/v1/batches", call))).GetProperty("id").GetString()!;
    }

    private static async Task<JsonElement> BatchAsync(ServeProcess gateway, string batch) =>
        await JsonAsync(await gateway.Client.GetAsync($"/v1/batches/{batch}"));

    private static async Task<bool> IsRunningAsync(ServeProcess gateway, string batch) =>
        (await BatchAsync(gateway, batch)).GetProperty("status").GetString() is "in_progress" or "finalizing";

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        response.EnsureSuccessStatusCode();
        using var document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        return document.RootElement.Clone();
    }

    /// <summary>One of those that are ready, or the first to be.</summary>
    private static async Task<ServeProcess> TakeAsync(List<Task<ServeProcess>> workers, Random random)
    {
        await Task.WhenAny(workers);
        Task<ServeProcess>[] ready = [.. workers.Where(worker => worker.IsCompleted)];
        var taken = ready[random.Next(ready.Length)];
        workers.Remove(taken);
        return await taken;
    }

    private static string MessageOf(JsonElement answer)
    {
        var message = answer.GetProperty("choices")[0].GetProperty("message");
        return $"{message.GetProperty("reasoning_content").GetString()}|{message.GetProperty("content").GetString()}";
    }

    private async Task CheckAsync(ServeProcess gateway, ServeProcess worker, JsonElement batch, int kills)
    {
        Assert.Equal("completed", batch.GetProperty("status").GetString());
        var text = await gateway.Client.GetStringAsync($"/v1/files/{batch.GetProperty("output_file_id").GetString()}/content");
        JsonElement[] answers = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        string[] ids = [.. answers.Select(line => line.GetProperty("custom_id").GetString()!)];
        var duplicates = ids.Length - ids.Distinct(StringComparer.Ordinal).Count();
        var dead = await DeadLettersAsync();
        output.WriteLine(
            $"worker killed {kills} times: requests in {Lines}, results out {ids.Length}, duplicates {duplicates}, dead letters {dead}, failed "
            + $"{batch.GetProperty("request_counts").GetProperty("failed").GetInt32()}");
        Assert.Equal(Enumerable.Range(0, Lines).Select(line => $"line-{line}"), ids);
        Assert.Equal(0, dead);
        await Parallel.ForEachAsync(Enumerable.Range(0, Lines), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (line, stop) =>
        {
            var answer = MessageOf(answers[line].GetProperty("response").GetProperty("body"));
            Assert.EndsWith((Sum(line).A + Sum(line).B).ToString(CultureInfo.InvariantCulture), answer.Trim(), StringComparison.Ordinal);
            using StringContent body = new(Body(line), Encoding.UTF8, "application/json");
            Assert.Equal(MessageOf(await JsonAsync(await worker.Client.PostAsync("/v1/chat/completions", body, stop))), answer);
        });
    }

    private async Task<long> DeadLettersAsync()
    {
        var (code, stats, errors) = await ModelCommandTests.RunAsync("queue", "stats", "--class", "bulk", "--json", "--data", _data);
        Assert.True(code == 0, errors);
        return JsonDocument.Parse(stats).RootElement.GetProperty("queues")[0].GetProperty("dead_letters").GetInt64();
    }

    /// <summary>How many lines have a result so far.</summary>
    private int Results()
    {
        using SqliteConnection connection = new($"Data Source={Path.Combine(_data, "queue", "queue.db")};Pooling=False");
        connection.Open();
        using var count = connection.CreateCommand();
        count.CommandText = $"SELECT COUNT(*) FROM objects WHERE name LIKE '{ResultStore.Folder}%'";
        return (int)(long)count.ExecuteScalar()!;
    }

    private Task<ServeProcess> StartAsync(string role, params string[] more) =>
        ServeProcess.StartInAsync(_data, ["--role", role, "--lease", "2", .. more]);

    /// <summary>With few slots, so that a batch outlives some workers.</summary>
    private Task<ServeProcess> StartWorkerAsync() => StartAsync("worker", "--model", TestModels.Nano.Path, "--kv-memory", "1MB", "--threads", "1");
}
