using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Azure OpenAI's addresses, as its clients use them.</summary>
public sealed class AzurePathTests
{
    [Theory]
    [InlineData("/openai/deployments/r1-test/chat/completions?api-version=2024-10-21", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}")]
    [InlineData("/openai/deployments/r1-test/chat/completions", "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}")]
    [InlineData("/openai/deployments/r1-test/completions?api-version=2024-10-21", "{\"prompt\":\"hi\"}")]
    [InlineData("/openai/v1/chat/completions?api-version=preview", "{\"model\":\"r1-test\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}")]
    [InlineData("/openai/v1/responses", "{\"model\":\"r1-test\",\"input\":\"hi\"}")]
    public async Task A_deployment_is_a_model_and_the_key_has_its_own_header(string path, string body)
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference, new ServeOptions { ApiKeys = ["one"] });
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.PostAsync(path, body)).StatusCode);
        var request = TestServer.Post(path, Encoding.UTF8.GetBytes(body));
        request.Headers.Add("api-key", "one");
        var response = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(TestServer.Model, (await TestServer.JsonAsync(response)).GetProperty("model").GetString());
        Assert.Equal(TestServer.Model, Assert.Single(inference.Requests).Model);
    }

    [Fact]
    public async Task A_deployment_may_be_encoded_and_is_part_of_the_call()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        await Eventually.HoldsAsync(() => server.Services.GetRequiredService<QueueConnection>().Queue is not null, () => "the queue");
        foreach (var (model, status) in ((string, HttpStatusCode)[])[("r1-test", HttpStatusCode.OK), ("r1%2Dtest", HttpStatusCode.OK),
            ("deepseek-ai%2Fnone", HttpStatusCode.NotFound)])
        {
            var request = TestServer.Post($"/openai/deployments/{model}/completions", "{\"prompt\":\"hi\"}"u8.ToArray());
            request.Headers.Add("Idempotency-Key", "k");
            Assert.Equal(status, (await server.Client.SendAsync(request)).StatusCode);
        }
    }
}
