using System.Net;
using R1Serverless.Abstractions;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Encoders behind a gateway.</summary>
public sealed class EncoderQueueTests
{
    [Fact]
    public async Task Vectors_come_through_the_queue()
    {
        var inference = FakeInference.Of(
            new InferenceEvent.Admitted(3, FakeInference.Variant), new InferenceEvent.Outputs([TensorFolder.Floats("embeddings", [2, 2], 1, 2, 3, 4)]),
            new InferenceEvent.Finished(new Usage(3, 0, 0)));
        await using var gateway = await TestServer.StartApartAsync(inference);
        var response = await gateway.PostAsync("/v1/embeddings", """{"model":"r1-test","input":["a","b"],"dimensions":2}""");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var answer = await TestServer.JsonAsync(response);
        Assert.Equal(["[1,2]", "[3,4]"], answer.GetProperty("data").EnumerateArray().Select(one => one.GetProperty("embedding").GetRawText()));
        Assert.Equal(3, answer.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal(2, Assert.IsType<Prompt.Texts>(Assert.Single(inference.Requests).Prompt).Dimensions);
    }
}
