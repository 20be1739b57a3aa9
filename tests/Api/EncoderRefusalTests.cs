using System.Net;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Calls for encoders that say too much, or too little.</summary>
public sealed class EncoderRefusalTests
{
    [Theory]
    [InlineData("/v1/embeddings", """{"model":"embedder","input":"a","input":"b"}""", "input")]
    [InlineData("/rerank", """{"query":"a","texts":["b"],"query":"c"}""", "query")]
    [InlineData("/classify", """{"inputs":"a","parameters":{"top_k":1,"top_k":2}}""", "parameters.top_k")]
    public async Task A_field_that_comes_twice_is_refused_by_name(string path, string body, string field)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Of());
        var response = await server.PostAsync(path, body);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(field, (await TestServer.JsonAsync(response)).GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task Where_several_models_classify_one_has_to_be_named()
    {
        TensorSignature images = new([new TensorSpec("x", TensorType.Float32, [-1, 3, 4, 4]) { TakesImages = true }], []);
        ServedModel[] models = [.. new[] { "mood", "topic" }.Select(id =>
            TestServer.Served() with { Id = id, Task = TextTask.Classify, Signature = images })];
        await using var server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(FakeInference.Of(), () => models, () => default)));
        await server.UntilAsync(ServingPhase.Ready);
        foreach (var response in (HttpResponseMessage[])[await server.PostAsync("/classify", """{"inputs":"a"}"""),
            await server.Client.PostAsync("/classify", new ByteArrayContent([1]) { Headers = { ContentType = new("image/png") } })])
        {
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            var error = (await TestServer.JsonAsync(response)).GetProperty("error");
            Assert.Equal("model", error.GetProperty("param").GetString());
            Assert.Contains("mood, topic", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }
}
