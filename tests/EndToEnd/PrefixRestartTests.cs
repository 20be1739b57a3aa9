using System.Net.Http.Json;
using System.Text.Json;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Shared prefixes on the disk, and processes that end in every way.</summary>
public sealed class PrefixRestartTests : IDisposable
{
    private static readonly string Prompt = string.Join(' ', Enumerable.Range(0, 300));

    private readonly string _data = Directory.CreateTempSubdirectory("r1-prefix-restart-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Folder => Path.Combine(_data, "prefixes");

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_prefix_is_there_after_a_stop_and_after_a_kill_and_not_where_its_file_was_changed()
    {
        string answer;
        await using (var first = await StartAsync())
        {
            using var models = JsonDocument.Parse(await first.Client.GetStringAsync("/v1/models", Stop));
            var variants = models.RootElement.GetProperty("data")[0].GetProperty("variants").EnumerateArray();
            Assert.True(variants.First(variant => variant.GetProperty("loaded").GetBoolean()).GetProperty("shares_prefixes").GetBoolean());
            (answer, var cached) = await AskAsync(first);
            Assert.Equal(0, cached);
            // Another process over the same folder does without.
            await using var second = await StartAsync();
            Assert.Contains("keeps no prefixes on the disk", second.Output, StringComparison.Ordinal);
            first.SendTerminate();
            Assert.Equal(0, await first.ExitAsync());
        }

        await using (var stopped = await StartAsync())
        {
            var (same, cached) = await AskAsync(stopped);
            Assert.Equal(answer, same);
            Assert.True(cached > 900, $"{cached} tokens were on the disk.");
            await stopped.KillAsync();
        }

        await using (var killed = await StartAsync())
        {
            var (same, cached) = await AskAsync(killed);
            Assert.Equal(answer, same);
            Assert.True(cached > 900, $"{cached} tokens were on the disk.");
            await killed.KillAsync();
        }

        var file = Assert.Single(Directory.GetFiles(Folder));
        var bytes = await File.ReadAllBytesAsync(file, Stop);
        for (var at = 5_000; at < bytes.Length; at += 10_000) bytes[at] ^= 1;
        await File.WriteAllBytesAsync(file, bytes, Stop);
        await using var changed = await StartAsync();
        Assert.Equal((answer, 0), await AskAsync(changed));
    }

    private static async Task<(string Text, int Cached)> AskAsync(ServeProcess server)
    {
        using var response = await server.Client.PostAsJsonAsync("/v1/completions",
            new { model = ServeProcess.Model, prompt = Prompt, max_tokens = 12, temperature = 0, ignore_eos = true }, Stop);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Stop));
        response.EnsureSuccessStatusCode();
        return (body.RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!,
            body.RootElement.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
    }

    private Task<ServeProcess> StartAsync() => ServeProcess.StartInAsync(_data, "--prefix-file", "64MB", "--precision", "fp32");
}
