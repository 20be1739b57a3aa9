using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Tests.Engine.ModelHosting;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Two models with several variants in one real process whose memory holds two variants at a time.</summary>
public sealed class VariantServingTests : IDisposable
{
    private readonly HandMadeModels _models = new();

    [Fact]
    public async Task Variants_share_a_small_memory_and_no_answer_breaks()
    {
        await using var server = await StartAsync();
        // The start loaded what auto takes of the first model: the fastest within its tolerance.
        Assert.Contains("one  int8 on", server.Output, StringComparison.Ordinal);
        Assert.Equal(["one int8"], await LoadedAsync(server));

        (string Model,
            string Precision)[] targets = [("one", "fp32"), ("one", "int8"), ("one", "fp16"), ("two", "fp32"), ("two", "int4"), ("two", "auto")];
        await Parallel.ForEachAsync(Enumerable.Range(0, 60), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) =>
        {
            (var model, var precision) = targets[i * 5 % targets.Length];
            (var a, var b) = (11 + (i * 37 % 89), 10 + (i * 53 % 90));
            var response =
                await SendAsync(server, model, $"What is {a} + {b}?",
                    $",\"precision\":\"{precision}\",\"stream\":true,\"stream_options\":{{\"include_usage\":true}}");
            var served = response.Headers.GetValues("x-r1-variant").Single().Split("; ")[0];
            // What auto takes depends on what is loaded at that moment.
            Assert.Contains(served, precision == "auto" ? ["fp32", "int4"] : (string[])[precision]);
            (var answer, var usage) = await ReadAsync(response);
            Assert.Equal((a + b).ToString(CultureInfo.InvariantCulture), answer.Trim());
            Assert.Equal(served, usage.GetProperty("variant").GetProperty("precision").GetString());
        });
        await server.UntilSaidAsync("Unloaded ");
        Assert.InRange((await LoadedAsync(server)).Length, 1, 2);
    }

    [Fact]
    public async Task A_running_stream_keeps_its_variant_while_others_come_and_go()
    {
        await using var server = await StartAsync();
        var running =
            await SendAsync(server, "one", "What is 12 + 30?",
                ",\"precision\":\"fp32\",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":4000,\"n\":2");
        foreach (var precision in (string[])["fp32", "int4", "fp32", "int4"])
        {
            using var answer =
                JsonDocument.Parse(
                    await (await SendAsync(server, "two", "What is 12 + 30?", $",\"precision\":\"{precision}\"")).Content.ReadAsStringAsync());
            Assert.Equal("42", answer.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.Trim());
        }

        var rest = await running.Content.ReadAsStringAsync();
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("\"error\"", rest, StringComparison.Ordinal);
        await server.UntilSaidAsync("Unloaded two ");
        Assert.DoesNotContain("Unloaded one fp32", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_precision_that_is_not_there_is_400_and_says_what_is()
    {
        await using var server = await StartAsync("--load", "two:fp32", "--precision", "fp32");
        Assert.Equal(["two fp32"], await LoadedAsync(server));
        var refused = await SendAsync(server, "two", "hi", ",\"precision\":\"int8\"");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using var body = JsonDocument.Parse(await refused.Content.ReadAsStringAsync());
        Assert.Equal("precision", body.RootElement.GetProperty("error").GetProperty("param").GetString());
        Assert.Contains("fp32, int4, auto", body.RootElement.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        var usual = await SendAsync(server, "two", "What is 1 + 1?", "");
        Assert.Equal("fp32; this server's default", usual.Headers.GetValues("x-r1-variant").Single());
    }

    [Theory]
    [InlineData("three", "one, two", "--load", "three")]
    [InlineData("fp32, int4", "two", "--load", "two:int8")]
    [InlineData("two has only fp32, int4", "--precision", "--precision", "int8")]
    [InlineData("MiB", "one", "--memory", "10MB")]
    public async Task What_cannot_be_loaded_at_the_start_is_said_in_words(string says, string alsoSays, string option, string value)
    {
        (var code, var output) = await ServeProcess.RefusedAsync(["--urls", "http://127.0.0.1:0", .. Arguments(), option, value]);
        Assert.Equal(1, code);
        Assert.Contains(says, output, StringComparison.Ordinal);
        Assert.Contains(alsoSays, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_preload_without_room_is_refused_before_anything_is_loaded()
    {
        (var code, var output) =
            await ServeProcess.RefusedAsync(
            ["--urls", "http://127.0.0.1:0", .. Arguments(), "--memory", "60MB", "--load", "one:fp32", "--load", "one:int8", "--load", "two:fp32"]);
        Assert.Equal(1, code);
        Assert.Contains("raise --memory", output, StringComparison.Ordinal);
        Assert.Matches("one fp32 2\\d MiB, one int8 2\\d MiB, two fp32 2\\d MiB", output);
        Assert.DoesNotContain("Loaded one", output, StringComparison.Ordinal);
    }

    public void Dispose() => _models.Dispose();

    private Task<ServeProcess> StartAsync(params string[] more) => ServeProcess.StartAsync([.. Arguments(), "--memory", "60MB", .. more]);

    /// <summary>Each variant takes its 3.6 MB of weights and 20 MB for keys and values.</summary>
    private string[] Arguments()
    {
        var one = _models.Make("one", Evaluated, Precision.Fp32, Precision.Fp16, Precision.Int8);
        var two = _models.Make("two", Evaluated, Precision.Fp32, Precision.Int4);
        return ["--model", one.Path, "--model", two.Path, "--kv-memory", "20MB"];
    }

    private static ModelVariant Evaluated(ModelVariant variant) =>
        variant with { Evaluations = [Measured.On("cpu", (int)variant.Precision * 0.1, 1000 * (1 + (int)variant.Precision))] };

    private static async Task<HttpResponseMessage> SendAsync(ServeProcess server, string model, string question, string more) =>
        await server.Client.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
            {
                Content = new StringContent(
                    $$"""{"model":"{{model}}","messages":[{"role":"user","content":"{{question}}"}],"temperature":0{{more}}}""", Encoding.UTF8,
                    "application/json"),
            },
            HttpCompletionOption.ResponseHeadersRead);

    private static async Task<string[]> LoadedAsync(ServeProcess server)
    {
        using var health = JsonDocument.Parse(await server.Client.GetStringAsync("/health/ready"));
        return [.. health.RootElement.GetProperty("models").EnumerateArray()
            .Select(one => $"{one.GetProperty("id").GetString()} {one.GetProperty("precision").GetString()}")];
    }

    private static async Task<(string Answer, JsonElement Usage)> ReadAsync(HttpResponseMessage response)
    {
        (StringBuilder answer, JsonElement usage) = (new(), default);
        var lines = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", lines[^1]);
        foreach (var line in lines[..^1])
        {
            var chunk = JsonDocument.Parse(line["data: ".Length..]).RootElement;
            if (chunk.GetProperty("usage").ValueKind == JsonValueKind.Object) usage = chunk.GetProperty("usage");
            foreach (var choice in chunk.GetProperty("choices").EnumerateArray())
            {
                if (choice.GetProperty("delta").TryGetProperty("content", out var text)) answer.Append(text.GetString());
            }
        }

        return (answer.ToString(), usage);
    }
}
