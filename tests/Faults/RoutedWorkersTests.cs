using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Faults;

/// <summary>Processes with different models and precisions over one data folder: every request is answered by one that has what it asks for, also
/// where one of them is killed meanwhile.</summary>
public sealed class RoutedWorkersTests : IDisposable
{
    private const int Calls = 60, Lines = 40;

    private readonly DirectoryInfo _models = Directory.CreateTempSubdirectory("r1-routed-models-");
    private readonly string _data = Directory.CreateTempSubdirectory("r1-routed-").FullName;

    public void Dispose()
    {
        _models.Delete(recursive: true);
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Two_workers_with_different_models_answer_every_request_of_one_queue()
    {
        string a = Build("a", "a", Precision.Fp32), b = Build("b", "b", Precision.Fp32, Precision.Int8), half = Build("half", "b", Precision.Fp32);
        await using var gateway = await StartAsync("gateway");
        await using var first = await StartAsync("worker", "--model", a, "--model", half);
        var second = await StartAsync("worker", "--model", b);
        try
        {
            await UntilListedAsync(gateway, "a", "b");
            // The first worker alone has "b" too, in another precision.
            await FaultWorld.UntilAsync(async () => await StatusAsync(gateway, "b", ",\"precision\":\"int8\"") == HttpStatusCode.OK);

            // Each with a model or a precision that only one of the two has.
            var answers = await Task.WhenAll(Enumerable.Range(0, Calls).Select(i => StatusAsync(gateway, i % 2 == 0 ? "a" : "b",
                i % 4 == 1 ? ",\"precision\":\"int8\"" : "")));
            Assert.All(answers, status => Assert.Equal(HttpStatusCode.OK, status));
            Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(gateway, "none"));
            Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(gateway, "b", ",\"precision\":\"fp16\""));

            // Only the second worker has what half of the lines ask for.
            var batch = await CreateBatchAsync(gateway, ",\"precision\":\"int8\",\"ignore_eos\":true,\"max_tokens\":100");
            await FaultWorld.UntilAsync(async () => Completed(await BatchAsync(gateway, batch)) > 0);
            await second.KillAsync();
            await second.DisposeAsync();
            second = await StartAsync("worker", "--model", b);
            await FaultWorld.UntilAsync(async () => (await BatchAsync(gateway, batch)).GetProperty("status").GetString() == "completed");
            var counts = (await BatchAsync(gateway, batch)).GetProperty("request_counts");
            Assert.Equal((Lines, 0), (counts.GetProperty("completed").GetInt32(), counts.GetProperty("failed").GetInt32()));
        }
        finally
        {
            await second.DisposeAsync();
        }
    }

    [Fact]
    public async Task Two_servers_on_one_folder_answer_for_each_other()
    {
        string a = Build("a", "a", Precision.Fp32), b = Build("b", "b", Precision.Fp32);
        await using var first = await StartAsync("all", "--model", a);
        await using var second = await StartAsync("all", "--model", b);
        await FaultWorld.UntilAsync(async () => await StatusAsync(first, "b") == HttpStatusCode.OK
            && await StatusAsync(second, "a") == HttpStatusCode.OK);

        var answers = await Task.WhenAll(Enumerable.Range(0, Calls).Select(i => StatusAsync(i % 4 < 2 ? first : second, i % 2 == 0 ? "a" : "b")));
        Assert.All(answers, status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(first, "none"));

        var batch = await CreateBatchAsync(first);
        await FaultWorld.UntilAsync(async () => (await BatchAsync(first, batch)).GetProperty("status").GetString() == "completed");
        Assert.Equal(Lines, Completed(await BatchAsync(first, batch)));
    }

    private static string Line(int line, string more) =>
        $$"""{"custom_id":"line-{{line}}","method":"POST","url":"/v1/chat/completions","body":{{(line % 2 == 0 ? Body("a") : Body("b", more))}}}""";

    private static string Body(string model, string more = "") =>
        $$"""{"model":"{{model}}","temperature":0,"messages":[{"role":"user","content":"What is 12 + 30?"}]{{more}}}""";

    private static async Task<HttpStatusCode> StatusAsync(ServeProcess server, string model, string more = "")
    {
        using StringContent body = new(Body(model, more), Encoding.UTF8, "application/json");
        using var response = await server.Client.PostAsync("/v1/chat/completions", body);
        return response.StatusCode;
    }

    private static async Task UntilListedAsync(ServeProcess gateway, params string[] models) => await FaultWorld.UntilAsync(async () =>
    {
        var listed = (await JsonAsync(await gateway.Client.GetAsync("/v1/models"))).GetProperty("data").EnumerateArray()
            .Select(model => model.GetProperty("id").GetString());
        return models.All(listed.Contains);
    });

    private static async Task<string> CreateBatchAsync(ServeProcess server, string more = "")
    {
        var lines = string.Join('\n', Enumerable.Range(0, Lines).Select(line => Line(line, more)));
        using MultipartFormDataContent form =
            new() { { new StringContent("batch"), "purpose" }, { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "lines.jsonl" } };
        var file = (await JsonAsync(await server.Client.PostAsync("/v1/files", form))).GetProperty("id").GetString()!;
        using StringContent call =
            new($$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""", Encoding.UTF8, "application/json");
        return (await JsonAsync(await server.Client.PostAsync("/v1/batches", call))).GetProperty("id").GetString()!;
    }

    private static async Task<JsonElement> BatchAsync(ServeProcess server, string batch) =>
        await JsonAsync(await server.Client.GetAsync($"/v1/batches/{batch}"));

    private static int Completed(JsonElement batch) => batch.GetProperty("request_counts").GetProperty("completed").GetInt32();

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        response.EnsureSuccessStatusCode();
        using var document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        return document.RootElement.Clone();
    }

    private string Build(string folder, string name, params Precision[] precisions) => CheckpointBuilder.Build(
        TestModels.NanoCheckpoint, Path.Combine(_models.FullName, folder, name), name, TimeProvider.System, precisions).Path;

    private Task<ServeProcess> StartAsync(string role, params string[] more) =>
        ServeProcess.StartInAsync(_data, ["--role", role, "--lease", "2", .. more]);
}
