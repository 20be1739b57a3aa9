using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>/v1/embeddings, /rerank and /classify over small encoders whose numbers are known.</summary>
public sealed class EncoderEndpointTests : IAsyncLifetime
{
    private const string Vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##d\n.\n";
    private const string Embedder = "embedder", Reranker = "reranker", Classifier = "classifier", Ranks = """{"query":"a","texts":["b","c","a"]""";

    private readonly TensorFolder[] _folders =
    [
        TensorFolder.Encoder().With("vocab.txt", Vocabulary), TensorFolder.Classifier(1).With("vocab.txt", Vocabulary)
            .With("config.json", """{"architectures":["BertForSequenceClassification"],"id2label":{"0":"LABEL_0"}}"""),
        TensorFolder.Classifier(2).With("vocab.txt", Vocabulary)
            .With("config.json", """{"architectures":["BertForSequenceClassification"],"id2label":{"0":"no","1":"yes"}}"""),
    ];

    private readonly string _links = Directory.CreateTempSubdirectory("r1-encoders-").FullName;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await StartAsync();

    [Theory]
    [InlineData("""{"model":"embedder","input":"a b"}""", 1, 4)]
    [InlineData("""{"model":"embedder","input":["a b"],"encoding_format":"float","user":"me"}""", 1, 4)]
    [InlineData("""{"model":"embedder","input":["a","b c","c"]}""", 3, 3 + 4 + 3)]
    [InlineData("""{"model":"embedder","input":[5,6]}""", 1, 2)]
    [InlineData("""{"model":"embedder","input":[[5,6],[7]],"dimensions":2}""", 2, 3)]
    public async Task Vectors_come_in_OpenAI_s_form(string body, int count, int tokens)
    {
        var answer = await AskAsync("/v1/embeddings", body);
        Assert.Equal(("list", Embedder), (answer.GetProperty("object").GetString(), answer.GetProperty("model").GetString()));
        Assert.Equal((tokens, tokens), (answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(),
            answer.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
        var data = answer.GetProperty("data").EnumerateArray().ToArray();
        Assert.Equal(count, data.Length);
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(("embedding", i), (data[i].GetProperty("object").GetString(), data[i].GetProperty("index").GetInt32()));
            Assert.Equal(body.Contains("dimensions") ? 2 : 4, data[i].GetProperty("embedding").GetArrayLength());
        }
    }

    [Fact]
    public async Task Base64_has_the_same_bits()
    {
        var floats = await AskAsync("/v1/embeddings", """{"model":"embedder","input":"a b c"}""");
        var base64 = await AskAsync("/v1/embeddings", """{"model":"embedder","input":"a b c","encoding_format":"base64"}""");
        Assert.Equal(
            floats.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Select(number => number.GetSingle()),
            MemoryMarshal.Cast<byte, float>(base64.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64()).ToArray());
    }

    [Fact]
    public async Task Azure_s_address_names_the_model() =>
        Assert.Equal(Embedder, (await AskAsync($"/openai/deployments/{Embedder}/embeddings?api-version=2024-10-21", """{"input":"a"}"""))
            .GetProperty("model").GetString());

    [Fact]
    public async Task Ranks_come_best_first_in_text_embeddings_inference_s_form()
    {
        var answer = await AskAsync("/rerank", Ranks + ",\"raw_scores\":true,\"return_text\":true}");
        Assert.Equal([1, 0, 2], answer.EnumerateArray().Select(one => one.GetProperty("index").GetInt32()));
        Assert.Equal(["c", "b", "a"], answer.EnumerateArray().Select(one => one.GetProperty("text").GetString()!));
        Assert.Equal(40, answer[0].GetProperty("score").GetSingle(), 1e-3);
        var plain = await AskAsync("/v1/rerank", Ranks + ",\"top_n\":1,\"model\":\"reranker\"}");
        var only = Assert.Single(plain.EnumerateArray());
        Assert.False(only.TryGetProperty("text", out _));
        Assert.InRange(only.GetProperty("score").GetSingle(), 0.99f, 1f);
    }

    [Fact]
    public async Task Ranks_of_documents_come_in_Jina_s_and_Cohere_s_form()
    {
        var answer = await AskAsync("/v1/rerank",
            """{"model":"reranker","query":"a","documents":["a",{"text":"c"}],"return_documents":true,"raw_scores":true}""");
        Assert.Equal(Reranker, answer.GetProperty("model").GetString());
        Assert.Equal(10, answer.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        var results = answer.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal([1, 0], results.Select(one => one.GetProperty("index").GetInt32()));
        Assert.Equal("c", results[0].GetProperty("document").GetProperty("text").GetString());
        Assert.Equal(40, results[0].GetProperty("relevance_score").GetSingle(), 1e-3);
    }

    [Fact]
    public async Task Labels_come_with_their_scores_for_one_text_a_pair_or_several()
    {
        var one = await AskAsync("/classify", """{"inputs":"a"}""");
        Assert.Equal(["yes", "no"], one.EnumerateArray().Select(label => label.GetProperty("label").GetString()!));
        Assert.Equal(1, one.EnumerateArray().Sum(label => label.GetProperty("score").GetSingle()), 1e-5);
        var pair = await AskAsync("/classify", """{"inputs":["a","c"],"raw_scores":true}""");
        Assert.Equal(41, pair[0].GetProperty("score").GetSingle(), 1e-3);
        var several = await AskAsync("/classify", """{"model":"classifier","inputs":[["a"],["a","c"]],"raw_scores":true}""");
        Assert.Equal(2, several.GetArrayLength());
        Assert.Equal(pair.GetRawText(), several[1].GetRawText());
    }

    public static TheoryData<string, string, string?, string> Wrong => new()
    {
        { "/v1/embeddings", """{"input":"a"}""", "model", "required" },
        { "/v1/embeddings", """{"model":"embedder"}""", "input", "required" },
        { "/v1/embeddings", """{"model":"embedder","input":""}""", "input", "empty" },
        { "/v1/embeddings", """{"model":"embedder","input":[]}""", "input", "empty" },
        { "/v1/embeddings", """{"model":"embedder","input":["a",""]}""", "input[1]", "empty" },
        { "/v1/embeddings", """{"model":"embedder","input":["a",1]}""", "input[1]", "a string or an array" },
        { "/v1/embeddings", """{"model":"embedder","input":[1,"a"]}""", "input[1]", "whole number" },
        { "/v1/embeddings", """{"model":"embedder","input":[1,-2]}""", "input[1]", "from 0" },
        { "/v1/embeddings", """{"model":"embedder","input":[[1],[]]}""", "input[1]", "empty" },
        { "/v1/embeddings", """{"model":"embedder","input":[[1],[99]]}""", "input[1]", "no token with the id 99" },
        { "/v1/embeddings", """{"model":"embedder","input":{"text":"a"}}""", "input", "a string or an array" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","dimensions":0}""", "dimensions", "from 1" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","dimensions":5}""", "dimensions", "at most 4" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","encoding_format":"int8"}""", "encoding_format", "base64" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","encodingformat":"float"}""", "encodingformat", "encoding_format" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","truncate":"yes"}""", "truncate", "true or false" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","truncation_direction":"up"}""", "truncation_direction", "left" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","input_type":"query"}""", "input_type", "not supported" },
        { "/v1/embeddings", """{"model":"embedder","input":"a","stream":true}""", "stream", "Unknown field" },
        { "/v1/embeddings", """{"model":"reranker","input":"a"}""", "model", "ranks texts" },
        { "/v1/embeddings", """{"model":"nobody","input":"a"}""", "model", "does not exist" },
        { "/v1/chat/completions", """{"model":"embedder","messages":[{"role":"user","content":"a"}]}""", "model", "makes vectors" },
        { "/v1/completions", """{"model":"classifier","prompt":"a"}""", "model", "classifies texts" },
        { "/rerank", """{"texts":["a"]}""", "query", "required" },
        { "/rerank", """{"query":"a"}""", "texts", "required" },
        { "/rerank", """{"query":"","texts":["a"]}""", "query", "empty" },
        { "/rerank", """{"query":"a","texts":"b"}""", "texts", "an array" },
        { "/rerank", """{"query":"a","texts":[]}""", "texts", "empty" },
        { "/rerank", """{"query":"a","texts":["b",2]}""", "texts[1]", "a string" },
        { "/rerank", """{"query":"a","texts":["b"],"documents":["b"]}""", "documents", "not both" },
        { "/rerank", """{"query":"a","documents":[{"title":"b"}]}""", "documents[0].title", "Unknown field" },
        { "/rerank", """{"query":"a","documents":["b"],"top_n":0}""", "top_n", "from 1" },
        { "/rerank", """{"query":"a","documents":["b"],"return_documents":1}""", "return_documents", "true or false" },
        { "/rerank", """{"model":"embedder","query":"a","texts":["b"]}""", "model", "does not rank: it makes vectors of texts" },
        { "/classify", "{}", "inputs", "required" },
        { "/classify", """{"inputs":["a","b","c"]}""", "inputs", "a pair" },
        { "/classify", """{"inputs":[["a"],"b",3]}""", "inputs[2]", "a pair" },
        { "/classify", """{"inputs":[[]]}""", "inputs[0]", "a pair" },
        { "/classify", """{"inputs":[["a",""]]}""", "inputs[0][1]", "empty" },
        { "/classify", """{"model":"embedder","inputs":"a"}""", "model", "does not classify: it makes vectors of texts" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task What_is_wrong_is_refused_by_name(string path, string body, string? field, string words)
    {
        var response = await _server.PostAsync(path, body);
        Assert.Equal(words == "does not exist" ? HttpStatusCode.NotFound : HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(field, error.GetProperty("param").GetString());
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_that_is_too_long_is_named_as_the_call_names_it()
    {
        var text = string.Join(' ', Enumerable.Repeat("a", 600));
        foreach (var (path, body, field) in ((string, string, string)[])
            [
                ("/v1/embeddings", $$"""{"model":"embedder","input":["a","{{text}}"]}""", "input[1]"),
                ("/rerank", $$"""{"query":"a","texts":["{{text}}"]}""", "texts[0]"),
                ("/rerank", $$"""{"query":"a","documents":["{{text}}"]}""", "documents[0]"),
                ("/classify", $$"""{"inputs":"{{text}}"}""", "inputs[0]"),
            ])
        {
            var error = (await TestServer.JsonAsync(await _server.PostAsync(path, body))).GetProperty("error");
            Assert.Equal((field, "context_length_exceeded"), (error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
            await AskAsync(path, body[..^1] + ",\"truncate\":true}");
        }
    }

    [Fact]
    public async Task The_list_says_what_each_model_is_for()
    {
        var models = (await TestServer.JsonAsync(await _server.Client.GetAsync("/v1/models"))).GetProperty("data").EnumerateArray()
            .ToDictionary(model => model.GetProperty("id").GetString()!, model => model.GetProperty("task").GetString());
        Assert.Equal("embed", models[Embedder]);
        Assert.Equal("rank", models[Reranker]);
        Assert.Equal("classify", models[Classifier]);
    }

    [Fact]
    public async Task A_key_gives_the_same_answer_in_the_same_form_again_and_an_answer_may_be_fetched_later()
    {
        await Eventually.HoldsAsync(() => Connection().Queue is not null, () => "the queue");
        string[] answers = [await KeyedAsync(), await KeyedAsync()];
        Assert.Equal(answers[0], answers[1]);
        Assert.Contains("\"embedding\":\"", answers[0], StringComparison.Ordinal);

        var request = TestServer.Post("/rerank", System.Text.Encoding.UTF8.GetBytes(Ranks + ",\"top_n\":2,\"raw_scores\":true}"));
        request.Headers.Add("Prefer", "respond-async");
        var taken = await _server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, taken.StatusCode);
        JsonElement later = default;
        await Eventually.HoldsAsync(async () =>
        {
            later = await TestServer.JsonAsync(await _server.Client.GetAsync(taken.Headers.Location));
            return later.GetProperty("status").GetString() == "finished";
        }, () => "the answer");
        Assert.Equal([1, 0], later.GetProperty("response").EnumerateArray().Select(one => one.GetProperty("index").GetInt32()));

        request = TestServer.Post("/rerank", System.Text.Encoding.UTF8.GetBytes(Ranks + ",\"return_text\":true}"));
        request.Headers.Add("Prefer", "respond-async");
        var refused = await TestServer.JsonAsync(await _server.Client.SendAsync(request));
        Assert.Equal("return_text", refused.GetProperty("error").GetProperty("param").GetString());

        async Task<string> KeyedAsync()
        {
            var keyed = TestServer.Post("/v1/embeddings", """{"model":"embedder","input":"a b","encoding_format":"base64"}"""u8.ToArray());
            keyed.Headers.Add("Idempotency-Key", "once");
            var response = await _server.Client.SendAsync(keyed);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return await response.Content.ReadAsStringAsync();
        }
    }

    [Fact]
    public async Task Lines_of_a_bulk_file_are_answered_as_floats()
    {
        await Eventually.HoldsAsync(() => Connection().Queue is not null, () => "the queue");
        string[] lines =
        [
            """{"custom_id":"1","method":"POST","url":"/v1/embeddings","body":{"model":"embedder","input":"a b"}}""",
            """{"custom_id":"2","method":"POST","url":"/v1/embeddings","body":{"model":"embedder","input":"a","encoding_format":"base64"}}""",
        ];
        using MultipartFormDataContent form = new()
        {
            { new StringContent("batch"), "purpose" }, { new StringContent(string.Join('\n', lines)), "file", "in.jsonl" },
        };
        var file = (await TestServer.JsonAsync(await _server.Client.PostAsync("/v1/files", form))).GetProperty("id").GetString();
        var batch = await AskAsync("/v1/batches",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/embeddings","completion_window":"24h"}""");
        await Eventually.HoldsAsync(async () =>
        {
            batch = await TestServer.JsonAsync(await _server.Client.GetAsync($"/v1/batches/{batch.GetProperty("id").GetString()}"));
            return batch.GetProperty("status").GetString() == "completed";
        }, () => $"the batch's end, {batch}");
        var output = JsonDocument.Parse(await ContentAsync("output_file_id")).RootElement.GetProperty("response").GetProperty("body");
        Assert.Equal("[40,41,42,43]", output.GetProperty("data")[0].GetProperty("embedding").GetRawText());
        Assert.Contains("encoding_format", await ContentAsync("error_file_id"), StringComparison.Ordinal);

        Task<string> ContentAsync(string field) => _server.Client.GetStringAsync($"/v1/files/{batch.GetProperty(field).GetString()}/content");
    }

    /// <summary>OpenAI's client for Node, whose default is base64, and calls as text-embeddings-inference's clients make them.</summary>
    [Fact]
    public async Task The_official_node_client_gets_vectors()
    {
        var seen = await NodeScript.RunAsync("embeddings.mjs", _server.Client.BaseAddress!.ToString().TrimEnd('/'), Embedder);
        // The means of 20, 50, 60 and 30, and of 20, 50 and 30.
        Assert.Equal("[40,41,42,43]", seen.GetProperty("usual")[0].GetRawText());
        Assert.Equal(100 / 3f, seen.GetProperty("usual")[1][0].GetSingle());
        Assert.Equal(seen.GetProperty("usual")[0].GetRawText(), seen.GetProperty("floats").GetRawText());
        Assert.Equal("[40,41]", seen.GetProperty("cut").GetRawText());
        Assert.Equal(7, seen.GetProperty("tokens").GetInt32());
        Assert.Equal("[0,1]", seen.GetProperty("ranks").GetRawText());
        Assert.Equal("yes", seen.GetProperty("label").GetString());
        Assert.Equal("""["BadRequestError",400,"dimensions"]""", seen.GetProperty("fault").GetRawText());
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        foreach (var folder in _folders) folder.Dispose();
        Directory.Delete(_links, recursive: true);
    }

    private QueueConnection Connection() => _server.Services.GetRequiredService<QueueConnection>();

    private async Task<JsonElement> AskAsync(string path, string body)
    {
        var response = await _server.PostAsync(path, body);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        return await TestServer.JsonAsync(response);
    }

    private async Task<TestServer> StartAsync()
    {
        string[] names = [Embedder, Reranker, Classifier];
        // By their own names, where each folder's is a random one.
        foreach (var (i, name) in names.Index()) Directory.CreateSymbolicLink(Path.Combine(_links, name), _folders[i].Path);
        var server = await TestServer.StartLoadingAsync(LocalModels.LoadAsync, new ServeOptions
        {
            Models = [.. names.Select(name => Path.Combine(_links, name))], Load = names, Runtime = new RuntimeOptions { Threads = 1 },
        });
        await server.UntilAsync(ServingPhase.Ready);
        return server;
    }
}
