using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using R1Serverless.Api.Rpc;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelLoading;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Tests.Engine.Images;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Hosting;
using R1Serverless.Tests.Images;

namespace R1Serverless.Tests.Api;

/// <summary>Images by every way into a server: /classify, /v1/embeddings and the Open Inference Protocol, here and behind a queue.</summary>
public sealed class ImageEndpointTests : IAsyncLifetime
{
    private const string Classifier = "colours", Embedder = "means", Config = """{"size":4,"resample":0}""";

    private static readonly string Base64 = Convert.ToBase64String(Pictures.Png), DataUrl = "data:image/png;base64," + Base64;

    private readonly TensorFolder[] _folders =
    [
        TensorFolder.Picture().With("preprocessor_config.json", Config).With("labels.txt", "red\ngreen\nblue"),
        TensorFolder.Picture().With("preprocessor_config.json", Config),
    ];

    private readonly string _links = Directory.CreateTempSubdirectory("r1-images-").FullName;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        string[] names = [Classifier, Embedder];
        foreach (var (i, name) in names.Index()) Directory.CreateSymbolicLink(Path.Combine(_links, name), _folders[i].Path);
        _server = await TestServer.StartLoadingAsync(LocalModels.LoadAsync, new ServeOptions
        {
            Models = [.. names.Select(name => Path.Combine(_links, name))], Load = names, Runtime = new RuntimeOptions { Threads = 1 },
            GrpcUrls = ["http://127.0.0.1:0"],
        });
        await _server.UntilAsync(ServingPhase.Ready);
    }

    [Fact]
    public async Task An_image_is_classified_as_JSON_and_as_the_body_itself()
    {
        var labels = await AskAsync("/classify", $$"""{"inputs":"{{DataUrl}}"}""");
        Assert.Equal(["blue", "green", "red"], labels.EnumerateArray().Select(one => one.GetProperty("label").GetString()!).Order());
        Assert.Equal(1, labels.EnumerateArray().Sum(one => one.GetProperty("score").GetSingle()), 1e-5);
        foreach (var type in (string?[])["image/png", "application/octet-stream", null])
            Assert.Equal(labels.GetRawText(), (await SendAsync("/classify", Pictures.Png, type)).GetRawText());
        Assert.Equal(labels.GetRawText(), (await SendAsync("/classify?model=colours", Pictures.Png, "image/png")).GetRawText());
        Assert.Equal(labels.GetRawText(), (await AskAsync("/classify", $$"""{"model":"colours","inputs":"{{Base64}}"}""")).GetRawText());
        var best = Assert.Single((await SendAsync("/classify?top_k=1", Pictures.Png, "image/png")).EnumerateArray());
        Assert.Equal(labels[0].GetRawText(), best.GetRawText());

        // Schemes and media types are read in either case.
        Assert.Equal(labels.GetRawText(), (await AskAsync("/classify", $$"""{"inputs":"DATA:IMAGE/PNG;BASE64,{{Base64}}"}""")).GetRawText());

        foreach (var list in (string[])[$"""["{DataUrl}","{DataUrl}"]""", $"""[["{DataUrl}"],["{DataUrl}"]]"""])
        {
            var several = await AskAsync("/classify", $$$"""{"inputs":{{{list}}},"parameters":{"top_k":2,"function_to_apply":"none"}}""");
            Assert.Equal([2, 2], several.EnumerateArray().Select(one => one.GetArrayLength()));
            Assert.InRange(several[0][0].GetProperty("score").GetSingle(), 0.4f, 0.7f);
        }
    }

    [Fact]
    public async Task Vectors_are_made_of_images()
    {
        var answer = await AskAsync("/v1/embeddings", $$"""{"model":"means","input":["{{DataUrl}}","{{Base64}}"]}""");
        var data = answer.GetProperty("data").EnumerateArray().Select(one => one.GetProperty("embedding").GetRawText()).ToArray();
        Assert.Equal(2, data.Length);
        Assert.Equal(data[0], data[1]);
        Assert.Equal(3, answer.GetProperty("data")[0].GetProperty("embedding").GetArrayLength());
    }

    [Fact]
    public async Task The_protocol_takes_images_as_text_as_binary_data_and_by_gRPC()
    {
        var metadata = await TestServer.JsonAsync(await _server.Client.GetAsync("/v2/models/means"));
        Assert.Equal("""{"name":"pixel_values","datatype":"FP32","shape":[-1,3,4,4],"parameters":{"content_type":"image/png, image/jpeg, image/webp","content_datatype":"BYTES"}}""",
            metadata.GetProperty("inputs")[0].GetRawText());
        Assert.False(metadata.GetProperty("outputs")[0].TryGetProperty("parameters", out _));

        var text = await AskAsync("/v2/models/means/infer",
            $$"""{"inputs":[{"name":"pixel_values","datatype":"BYTES","shape":[2],"data":["{{DataUrl}}","{{Base64}}"]}]}""");
        var output = text.GetProperty("outputs")[0];
        Assert.Equal("[2,3,1,1]", output.GetProperty("shape").GetRawText());
        float[] means = [.. output.GetProperty("data").EnumerateArray().Select(one => one.GetSingle())];
        Assert.Equal(means[..3], means[3..]);

        var content = ImageInferenceTests.Images("pixel_values", Pictures.Png).Data;
        var head = Encoding.UTF8.GetBytes(
            $$$"""{"inputs":[{"name":"pixel_values","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":{{{content.Length}}}}}]}""");
        using ByteArrayContent body = new([.. head, .. content.ToArray()]);
        body.Headers.Add("Inference-Header-Content-Length", $"{head.Length}");
        var binary = await TestServer.JsonAsync(await _server.Client.PostAsync("/v2/models/means/infer", body));
        Assert.Equal(means[..3], binary.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(one => one.GetSingle()));

        using var channel = GrpcChannel.ForAddress(_server.RpcAddress);
        GRPCInferenceService.GRPCInferenceServiceClient client = new(channel);
        ModelInferRequest request = new() { ModelName = Embedder };
        request.Inputs.Add(new ModelInferRequest.Types.InferInputTensor
        {
            Name = "pixel_values", Datatype = "BYTES", Shape = { 1 }, Contents = new() { BytesContents = { ByteString.CopyFrom(Pictures.Png) } },
        });
        var answer = await client.ModelInferAsync(request);
        Assert.Equal(means[..3], System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(answer.RawOutputContents[0].Span).ToArray());
        request.Inputs[0].Contents = new() { BytesContents = { ByteString.CopyFrom(Pictures.Gif) } };
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await client.ModelInferAsync(request));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("The image is GIF", refused.Status.Detail);
    }

    public static TheoryData<string, string, string, string> Wrong => new()
    {
        { "/classify", """{"inputs":"data:image/png;base64,xx"}""", "inputs[0]", "base64" },
        { "/classify", $$"""{"inputs":["{{DataUrl}}","data:image/gif;base64,R0lGODlh"]}""", "inputs[1]", "Image 1 is GIF" },
        { "/classify", $$"""{"inputs":"{{DataUrl}}","top_k":0}""", "top_k", "from 1" },
        { "/classify", $$$"""{"inputs":"{{{DataUrl}}}","parameters":{"top_k":-1}}""", "parameters.top_k", "from 1" },
        { "/classify", $$$"""{"inputs":"{{{DataUrl}}}","parameters":{"function_to_apply":"sigmoid"}}""", "parameters.function_to_apply", "none" },
        { "/classify", $$$"""{"inputs":"{{{DataUrl}}}","parameters":{"topk":1}}""", "parameters.topk", "top_k" },
        { "/classify", $$"""{"inputs":"{{DataUrl}}","parameters":[]}""", "parameters", "an object" },
        { "/classify", $$"""{"model":"means","inputs":"{{DataUrl}}"}""", "model", "makes vectors of images" },
        { "/v1/embeddings", $$"""{"model":"colours","input":"{{DataUrl}}"}""", "model", "classifies images" },
        { "/v1/embeddings", """{"model":"means","input":[1,2]}""", "input[0]", "reads images" },
        { "/v1/embeddings", """{"model":"means","input":"hello"}""", "input[0]", "neither a file nor base64" },
        { "/rerank", """{"model":"colours","query":"a","texts":["b"]}""", "model", "classifies images" },
        { "/v1/chat/completions", """{"model":"colours","messages":[{"role":"user","content":"a"}]}""", "model", "classifies images" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task What_is_wrong_is_refused_by_name(string path, string body, string field, string words) =>
        await AssertRefusedAsync(await _server.PostAsync(path, body), field, words);

    [Fact]
    public async Task A_body_that_is_no_image_to_take_is_refused()
    {
        foreach (var (path, body, type, field, words) in ((string, byte[], string?, string, string)[])
            [
                ("/classify", [], "image/png", "inputs", "must be an image"), ("/classify", [], null, "inputs", "must be an image"),
                ("/classify", Pictures.Gif, "image/gif", "inputs[0]", "PNG, JPEG and WebP are taken"),
                ("/classify", Pictures.WebpAnimated, "image/webp", "inputs[0]", "2 frames"),
                ("/classify", ImageDecoderTests.Png(50_000, 50_000), "image/png", "inputs[0]", "50000 × 50000"),
                ("/classify", Pictures.Jpeg[..^60], "image/jpeg", "inputs[0]", "cut off"),
                ("/classify?top_k=x", Pictures.Png, "image/png", "top_k", "whole number"),
                ("/classify?model=" + new string('m', 300), Pictures.Png, "image/png", "model", "/v1/models"),
                ("/classify?model=means", Pictures.Png, "image/png", "model", "makes vectors"),
            ])
        {
            await AssertRefusedAsync(await PostAsync(path, body, type), field, words);
        }

        var other = await PostAsync("/classify", Pictures.Png, "text/plain");
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, other.StatusCode);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await PostAsync("/v1/embeddings", Pictures.Png, "image/png")).StatusCode);
    }

    [Fact]
    public async Task Models_say_what_they_are_for_and_the_start_how_to_ask()
    {
        var models = (await TestServer.JsonAsync(await _server.Client.GetAsync("/v1/models"))).GetProperty("data").EnumerateArray()
            .ToDictionary(model => model.GetProperty("id").GetString()!, model => model.GetProperty("task").GetString());
        Assert.Equal(("classify", "embed"), (models[Classifier], models[Embedder]));
        Assert.Contains("/classify?model=colours", _server.Output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>The worker has the preprocessing and ONNX Runtime: the gateway passes the file on.</summary>
    [Fact]
    public async Task Images_travel_encoded_through_the_queue()
    {
        var link = Path.Combine(_links, TestServer.Model);
        Directory.CreateSymbolicLink(link, _folders[0].Path);
        var folder = ModelFolder.Open(link);
        // The worker's server ends it.
        LocalInference inference = new([LoadedVariant.OpenAlone(
            folder, folder.Manifest.Variants[0], new RuntimeOptions { Threads = 1 }, new EngineOptions(), TimeProvider.System)]);
        await using var gateway = await TestServer.StartApartAsync(inference);
        var direct = await SendAsync("/classify?model=colours", Pictures.Png, "image/png");
        using var body = Content(Pictures.Png, "image/png");
        var queued = await gateway.Client.PostAsync($"/classify?model={TestServer.Model}", body);
        Assert.Equal(direct.GetRawText(), await queued.Content.ReadAsStringAsync());
        var tensors = await gateway.PostAsync($"/v2/models/{TestServer.Model}/infer",
            $$"""{"inputs":[{"name":"pixel_values","datatype":"BYTES","shape":[1],"data":["{{DataUrl}}"]}]}""");
        Assert.Equal("[1,3,1,1]", (await TestServer.JsonAsync(tensors)).GetProperty("outputs")[0].GetProperty("shape").GetRawText());
    }

    /// <summary>@huggingface/inference's client for Node.</summary>
    [Fact]
    public async Task Hugging_Face_s_client_classifies_an_image()
    {
        var file = Path.Combine(_links, "picture.png");
        await File.WriteAllBytesAsync(file, Pictures.Png, TestContext.Current.CancellationToken);
        var seen = await NodeScript.RunAsync("images.mjs", _server.Client.BaseAddress!.ToString().TrimEnd('/'), file);
        var labels = await SendAsync("/classify", Pictures.Png, "image/png");
        foreach (var way in (string[])["typed", "untyped"])
        {
            Assert.Equal(labels.EnumerateArray().Select(one => one.GetProperty("label").GetString()),
                seen.GetProperty(way).EnumerateArray().Select(one => one.GetProperty("label").GetString()));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        foreach (var folder in _folders) folder.Dispose();
        Directory.Delete(_links, recursive: true);
    }

    private static ByteArrayContent Content(byte[] body, string? type)
    {
        ByteArrayContent content = new(body);
        if (type is not null) content.Headers.ContentType = new MediaTypeHeaderValue(type);
        return content;
    }

    private static async Task AssertRefusedAsync(HttpResponseMessage response, string field, string words)
    {
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(field, error.GetProperty("param").GetString());
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private async Task<HttpResponseMessage> PostAsync(string path, byte[] body, string? type)
    {
        using var content = Content(body, type);
        return await _server.Client.PostAsync(path, content, TestContext.Current.CancellationToken);
    }

    private async Task<JsonElement> SendAsync(string path, byte[] body, string? type) => await OkAsync(await PostAsync(path, body, type));

    private async Task<JsonElement> AskAsync(string path, string body) => await OkAsync(await _server.PostAsync(path, body));

    private static async Task<JsonElement> OkAsync(HttpResponseMessage response)
    {
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        return await TestServer.JsonAsync(response);
    }
}
