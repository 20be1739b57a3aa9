using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What came of the requests.</summary>
/// <param name="Wrong">Requests with another text than without sharing, or without an answer.</param>
/// <param name="Cached">Prompt tokens that were taken from earlier prompts, in answers that the last server gave.</param>
internal sealed record PrefixKillsReport(int Requests, int Wrong, int Kills, long Cached, long Prompt, TimeSpan Apart, TimeSpan Shared);

/// <summary>
/// A batch of prompts that begin as one of some prefixes do, a few of which are popular, run by a server that is killed again and again, beside the
/// same batch on a server that shares nothing and lives: no text may differ.
/// </summary>
internal static class PrefixKillsBench
{
    private const int Prefixes = 50, Tokens = 8, LongestPrefix = 600, LongestOwn = 60, TokenIds = 300;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(0.5);

    public static async Task<PrefixKillsReport> RunAsync(int requests, TimeSpan betweenKills, string kvMemory, Action<string> progress,
        CancellationToken cancellation)
    {
        var lines = Lines(requests);
        progress("Without sharing");
        var began = Stopwatch.GetTimestamp();
        var expected = await AnswersAsync(lines, null, kvMemory, "off", progress, cancellation);
        var apart = Stopwatch.GetElapsedTime(began);
        progress("With sharing, and kills");
        began = Stopwatch.GetTimestamp();
        var found = await AnswersAsync(lines, betweenKills, kvMemory, "all", progress, cancellation);
        var wrong = expected.Texts.Count(one => !found.Texts.TryGetValue(one.Key, out var text) || text != one.Value);
        return new PrefixKillsReport(requests, wrong + requests - expected.Texts.Count, found.Kills, found.Cached, found.Prompt, apart,
            Stopwatch.GetElapsedTime(began));
    }

    /// <summary>Prefix i is asked for as often as 1 / (i + 1) says (Zipf's law).</summary>
    private static string Lines(int requests)
    {
        Random random = new(11);
        int[][] prefixes = [.. Enumerable.Range(0, Prefixes).Select(_ => Ids(random, random.Next(64, LongestPrefix)))];
        var weights = Enumerable.Range(0, Prefixes).Select(i => 1.0 / (i + 1)).ToArray();
        StringBuilder lines = new();
        for (var i = 0; i < requests; i++)
        {
            var at = random.NextDouble() * weights.Sum();
            var prefix = 0;
            while ((at -= weights[prefix]) > 0 && prefix < Prefixes - 1) prefix++;
            JsonObject body = new()
            {
                ["model"] = ServeProcess.Model,
                ["prompt"] = JsonSerializer.SerializeToNode<int[]>([.. prefixes[prefix], .. Ids(random, random.Next(1, LongestOwn))]),
                ["max_tokens"] = Tokens, ["temperature"] = i % 2, ["seed"] = i, ["ignore_eos"] = true, ["precision"] = "fp32",
            };
            lines.Append(new JsonObject { ["custom_id"] = $"{i}", ["method"] = "POST", ["url"] = "/v1/completions", ["body"] = body }.ToJsonString())
                .Append('\n');
        }

        return lines.ToString();
    }

    private static int[] Ids(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(TokenIds))];

    /// <param name="betweenKills">Null for a server that lives.</param>
    private static async Task<(Dictionary<string, string> Texts, int Kills, long Cached, long Prompt)> AnswersAsync(string lines,
        TimeSpan? betweenKills, string kvMemory, string sharing, Action<string> progress, CancellationToken cancellation)
    {
        var data = Directory.CreateTempSubdirectory("r1-prefix-kills-").FullName;
        var server = await StartAsync(data, kvMemory, sharing);
        try
        {
            var batch = await SubmitAsync(server.Client, lines, cancellation);
            var (kills, began) = (0, Stopwatch.GetTimestamp());
            while (true)
            {
                await Task.Delay(Poll, cancellation);
                var state = await server.Client.GetFromJsonAsync<JsonElement>($"/v1/batches/{batch}", cancellation);
                var status = state.GetProperty("status").GetString();
                progress($"{sharing}: {state.GetProperty("request_counts").GetProperty("completed").GetInt32()} done, {kills} kills");
                if (status == "completed") return Read(await OutputAsync(server.Client, state, cancellation), kills);
                if (status is "failed" or "expired" or "cancelled") throw new InvalidOperationException($"The batch is {status}: {state}");
                if (betweenKills is not { } time || Stopwatch.GetElapsedTime(began) < time) continue;
                await server.KillAsync();
                await server.DisposeAsync();
                server = await StartAsync(data, kvMemory, sharing);
                (kills, began) = (kills + 1, Stopwatch.GetTimestamp());
            }
        }
        finally
        {
            await server.DisposeAsync();
            Directory.Delete(data, recursive: true);
        }
    }

    private static Task<ServeProcess> StartAsync(string data, string kvMemory, string sharing) => ServeProcess.StartInAsync(
        data, "--kv-memory", kvMemory, "--prefix-sharing", sharing, "--threads", $"{Environment.ProcessorCount}");

    private static async Task<string> SubmitAsync(HttpClient client, string lines, CancellationToken cancellation)
    {
        using ByteArrayContent file = new(Encoding.UTF8.GetBytes(lines));
        file.Headers.ContentType = new MediaTypeHeaderValue("application/jsonl");
        using MultipartFormDataContent form = new() { { new StringContent("batch"), "purpose" }, { file, "file", "prompts.jsonl" } };
        var uploaded = await ReadAsync(await client.PostAsync("/v1/files", form, cancellation), cancellation);
        var created = await ReadAsync(await client.PostAsJsonAsync("/v1/batches", new
        {
            input_file_id = uploaded.GetProperty("id").GetString(),
            endpoint = "/v1/completions",
            completion_window = "24h",
        }, cancellation), cancellation);
        return created.GetProperty("id").GetString()!;
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync(cancellation);
            return response.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement : throw new InvalidOperationException(text);
        }
    }

    private static async Task<string> OutputAsync(HttpClient client, JsonElement batch, CancellationToken cancellation) =>
        await client.GetStringAsync($"/v1/files/{batch.GetProperty("output_file_id").GetString()}/content", cancellation);

    private static (Dictionary<string, string> Texts, int Kills, long Cached, long Prompt) Read(string output, int kills)
    {
        Dictionary<string, string> texts = new(StringComparer.Ordinal);
        var (cached, prompt) = (0L, 0L);
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var answer = JsonDocument.Parse(line).RootElement;
            var body = answer.GetProperty("response").GetProperty("body");
            texts.Add(answer.GetProperty("custom_id").GetString()!, body.GetProperty("choices")[0].GetProperty("text").GetString()!);
            var usage = body.GetProperty("usage");
            prompt += usage.GetProperty("prompt_tokens").GetInt64();
            cached += usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt64();
        }

        return (texts, kills, cached, prompt);
    }
}
