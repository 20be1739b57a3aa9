using System.Net;
using System.Text.Json;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelLoading;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>POST /v1/series and DELETE /v1/series/{key}, in one process and behind a gateway.</summary>
public sealed class SeriesEndpointTests : IAsyncLifetime
{
    private readonly TensorFolder _recurrent = TensorFolder.Recurrent(1), _plain = TensorFolder.AddOne(),
        _window = TensorFolder.Window(3, 2).With("r1-series.json", """{"window":{},"threshold":0.5}""");

    private readonly string _links = Directory.CreateTempSubdirectory("r1-series-").FullName;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        (string Name, TensorFolder Folder)[] folders = [("filter", _recurrent), ("plain", _plain), ("risk", _window)];
        foreach (var (name, folder) in folders) Directory.CreateSymbolicLink(Path.Combine(_links, name), folder.Path);
        _server = await TestServer.StartLoadingAsync(LocalModels.LoadAsync, new ServeOptions
        {
            Models = [.. folders.Select(one => Path.Combine(_links, one.Name))], Load = ["risk"], Runtime = new RuntimeOptions { Threads = 1 },
        });
        await _server.UntilAsync(ServingPhase.Ready);
    }

    [Fact]
    public async Task A_window_fills_and_then_every_event_is_decided()
    {
        var first = await AskAsync("""{"model":"risk","key":"card 1","values":[[1,2],[3,4]]}""");
        Assert.Equal((0, 2, false, 1), (first.GetProperty("sequence").GetInt32(), first.GetProperty("next_sequence").GetInt32(),
            first.GetProperty("ready").GetBoolean(), first.GetProperty("missing").GetInt32()));
        Assert.Equal(JsonValueKind.Null, first.GetProperty("score").ValueKind);
        Assert.Equal(JsonValueKind.Null, first.GetProperty("decision").ValueKind);
        var next = await AskAsync("""{"model":"risk","key":"card 1","values":[5,6],"sequence":2,"outputs":["y"]}""");
        Assert.True(next.GetProperty("ready").GetBoolean());
        var score = next.GetProperty("score").GetDouble();
        Assert.Equal(score >= 0.5, next.GetProperty("decision").GetBoolean());
        Assert.Equal(0.5, next.GetProperty("threshold").GetDouble());
        Assert.Equal((float)score, next.GetProperty("outputs")[0].GetProperty("data")[0].GetSingle());
        Assert.Equal("""{"steps":3,"rebuilt":false,"repeated":false}""", next.GetProperty("window").GetRawText());
        Assert.Equal("fp32", next.GetProperty("variant").GetProperty("precision").GetString());
        var timings = next.GetProperty("timings");
        Assert.InRange(timings.GetProperty("run_ms").GetDouble(), 0, timings.GetProperty("total_ms").GetDouble());
        // The same by the history alone, with another threshold.
        var rebuilt = await AskAsync(
            """{"model":"risk","key":"card 2","values":[5,6],"sequence":2,"history":[[1,2],[3,4]],"threshold":1,"precision":"fp32"}""");
        Assert.Equal((score, false, true), (rebuilt.GetProperty("score").GetDouble(), rebuilt.GetProperty("decision").GetBoolean(),
            rebuilt.GetProperty("window").GetProperty("rebuilt").GetBoolean()));
    }

    [Fact]
    public async Task Several_events_have_a_decision_each_and_a_series_can_be_forgotten()
    {
        var several = await AskAsync("""{"model":"filter","key":"a/b","values":[1,2,3],"threshold":4}""");
        Assert.Equal(
            """[{"sequence":0,"score":1,"threshold":4,"decision":false},{"sequence":1,"score":2.5,"threshold":4,"decision":false},{"sequence":2,"score":4.25,"threshold":4,"decision":true}]""",
            several.GetProperty("decisions").GetRawText());
        foreach (var expected in (bool[])[true, false])
        {
            var gone = await TestServer.JsonAsync(await _server.Client.DeleteAsync("/v1/series/a%2Fb?model=filter"));
            Assert.Equal($$"""{"model":"filter","key":"a/b","deleted":{{(expected ? "true" : "false")}}}""", gone.GetRawText());
        }

        Assert.Equal(0, (await AskAsync("""{"model":"filter","key":"a/b","values":1}""")).GetProperty("sequence").GetInt32());
    }

    [Fact]
    public async Task The_list_says_which_models_take_series()
    {
        var models = (await TestServer.JsonAsync(await _server.Client.GetAsync("/v1/models"))).GetProperty("data").EnumerateArray()
            .ToDictionary(model => model.GetProperty("id").GetString()!, model => model.GetProperty("task").GetString());
        Assert.Equal(("series", "series", "tensors"), (models["risk"], models["filter"], models["plain"]));
    }

    public static TheoryData<string, int, string?, string> Wrong => new()
    {
        { """{"key":"k","values":1}""", 400, "model", "required" },
        { """{"model":"filter","values":1}""", 400, "key", "required" },
        { """{"model":"filter","key":"","values":1}""", 400, "key", "1 to 256 characters" },
        { """{"model":"filter","key":7,"values":1}""", 400, "key", "a string" },
        { """{"model":"filter","key":"k"}""", 400, "values", "required" },
        { """{"model":"filter","key":"k","values":[]}""", 400, "values", "empty" },
        { """{"model":"filter","key":"k","values":"1"}""", 400, "values", "a list of numbers" },
        { """{"model":"filter","key":"k","values":[1,"2"]}""", 400, "values[1]", "a number" },
        { """{"model":"filter","key":"k","values":[[1],2]}""", 400, "values[1]", "a list of numbers" },
        { """{"model":"filter","key":"k","values":[[1],[]]}""", 400, "values[1]", "has 0 values" },
        { """{"model":"filter","key":"k","values":[[1],[1e999]]}""", 400, "values[1][0]", "beyond" },
        { """{"model":"filter","key":"k","values":[[1],[1,2]]}""", 400, "values[1]", "takes 1 in an event" },
        { """{"model":"filter","key":"k","values":1,"sequence":-1}""", 400, "sequence", "from 0" },
        { """{"model":"filter","key":"k","values":1,"sequence":1.5}""", 400, "sequence", "whole number" },
        { """{"model":"filter","key":"k","values":1,"history":1,"sequence":0}""", 400, "history", "more events than the 0" },
        { """{"model":"filter","key":"k","values":1,"threshold":"x"}""", 400, "threshold", "a number" },
        { """{"model":"filter","key":"k","values":1,"outputs":"y"}""", 400, "outputs", "a list" },
        { """{"model":"filter","key":"k","value":1}""", 400, "value", "Did you mean 'values'" },
        { """{"model":"filter","key":"k","values":1,"precision":"int8"}""", 400, "precision", "fp32" },
        { """{"model":"plain","key":"k","values":1}""", 400, "model", "takes no series" },
        { """{"model":"nobody","key":"k","values":1}""", 404, "model", "does not exist" },
        { """{"model":"filter","key":"k","values":1,"sequence":4}""", 409, "history", "send the request again with 'history'" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task What_is_wrong_is_refused_by_name(string body, int status, string? field, string words)
    {
        var response = await _server.PostAsync("/v1/series", body);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal((status, field), ((int)response.StatusCode, error.GetProperty("param").GetString()));
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        if (status == 409) Assert.Equal("window_missing", error.GetProperty("code").GetString());
        Assert.Equal(status == 409, response.Headers.TryGetValues("x-should-retry", out _));
    }

    [Fact]
    public async Task Other_events_of_a_number_that_is_taken_are_a_conflict_and_headers_for_later_are_refused()
    {
        await AskAsync("""{"model":"filter","key":"c","values":[1,2]}""");
        var response = await _server.PostAsync("/v1/series", """{"model":"filter","key":"c","values":5,"sequence":1}""");
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal((HttpStatusCode.Conflict, "sequence_passed", "sequence"),
            (response.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        foreach (var (header, value) in ((string, string)[])[("Prefer", "respond-async"), ("Idempotency-Key", "once")])
        {
            var request = TestServer.Post("/v1/series", """{"model":"filter","key":"c","values":1}"""u8.ToArray());
            request.Headers.Add(header, value);
            var refused = await _server.Client.SendAsync(request);
            Assert.Equal((HttpStatusCode.BadRequest, header),
                (refused.StatusCode, (await TestServer.JsonAsync(refused)).GetProperty("error").GetProperty("param").GetString()));
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await _server.Client.DeleteAsync("/v1/series/c")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.DeleteAsync("/v1/series/c?model=nobody")).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _server.Client.GetAsync("/v1/series")).StatusCode);
    }

    [Fact]
    public async Task Two_workers_behind_a_gateway_lose_no_event_and_take_none_twice()
    {
        var gateway = await TestServer.StartApartAsync(Worker());
        // Ends the gateway, too.
        await using var other = await gateway.WithWorkerAsync(Worker());
        double state = 0;
        List<string> history = [];
        for (var i = 0; i < 12; i++)
        {
            state = (state / 2) + i;
            var body = $$"""{"model":"{{TestServer.Model}}","key":"k","values":{{i}},"sequence":{{i}}}""";
            var response = await gateway.PostAsync("/v1/series", body);
            if (response.StatusCode == HttpStatusCode.Conflict)
            {
                // The event went to the worker that has not the one before.
                Assert.Equal("window_missing", (await TestServer.JsonAsync(response)).GetProperty("error").GetProperty("code").GetString());
                response = await gateway.PostAsync("/v1/series", $$"""{{body[..^1]}},"history":[{{string.Join(',', history)}}]}""");
            }

            var answer = await TestServer.JsonAsync(response);
            Assert.True(response.StatusCode == HttpStatusCode.OK, answer.GetRawText());
            Assert.Equal((i, state), (answer.GetProperty("sequence").GetInt32(), answer.GetProperty("score").GetDouble()), new Near());
            history.Add($"{i}");
        }

        var refused = await TestServer.JsonAsync(await gateway.PostAsync("/v1/series",
            $$"""{"model":"{{TestServer.Model}}","key":"k","values":1}"""));
        Assert.Equal("sequence", refused.GetProperty("error").GetProperty("param").GetString());
        Assert.Equal(HttpStatusCode.BadRequest, (await gateway.Client.DeleteAsync($"/v1/series/k?model={TestServer.Model}")).StatusCode);
    }

    [Theory]
    [InlineData("a%20b", "a%2520b")]
    [InlineData("a%2Fb", "a%252Fb")]
    [InlineData("100 %?#", "100%20%25%3F%23")]
    [InlineData("...", "...")]
    public async Task A_key_that_can_be_made_can_be_forgotten(string key, string address)
    {
        await AskAsync($$"""{"model":"filter","key":{{JsonSerializer.Serialize(key)}},"values":1}""");
        var gone = await TestServer.JsonAsync(await _server.Client.DeleteAsync($"/v1/series/{address}?model=filter"));
        Assert.Equal((key, true), (gone.GetProperty("key").GetString(), gone.GetProperty("deleted").GetBoolean()));
    }

    [Theory]
    [InlineData("""{"model":"filter","key":"..","values":1}""", "key", "'..'")]
    [InlineData("""{"model":"filter","key":".","values":1}""", "key", "'.'")]
    [InlineData("""{"model":"filter","key":"a\u0000","values":1}""", "key", "control character")]
    [InlineData("""{"model":"filter","key":"a","key":"b","values":1}""", "key", "twice")]
    [InlineData("""{"model":"filter","key":"a","values":1,"v\u0061lues":2}""", "values", "twice")]
    public async Task Keys_that_no_address_can_have_and_fields_that_come_twice_are_refused(string body, string field, string words)
    {
        var response = await _server.PostAsync("/v1/series", body);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(field, error.GetProperty("param").GetString());
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        foreach (var folder in (TensorFolder[])[_recurrent, _plain, _window]) folder.Dispose();
        Directory.Delete(_links, recursive: true);
    }

    private LocalInference Worker()
    {
        var link = Path.Combine(_links, TestServer.Model);
        if (!Directory.Exists(link)) Directory.CreateSymbolicLink(link, _recurrent.Path);
        return new LocalInference(new ModelHost([ModelFolder.Open(link)], new ModelHostOptions { MemoryBytes = 4L << 30 },
            new RuntimeOptions { Threads = 1 }, new EngineOptions { WarmsUp = false }, TimeProvider.System));
    }

    private async Task<JsonElement> AskAsync(string body)
    {
        var response = await _server.PostAsync("/v1/series", body);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        return await TestServer.JsonAsync(response);
    }

    private sealed class Near : IEqualityComparer<(int, double)>
    {
        public bool Equals((int, double) x, (int, double) y) => x.Item1 == y.Item1 && Math.Abs(x.Item2 - y.Item2) < 1e-4;

        public int GetHashCode((int, double) one) => one.Item1;
    }
}
