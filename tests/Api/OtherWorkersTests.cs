using System.Net;
using R1Serverless.Abstractions;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Two servers over one data folder, each with a model of its own: what one is asked for and only the other has.</summary>
public sealed class OtherWorkersTests
{
    private const string Path = "/v1/chat/completions";

    [Fact]
    public async Task A_precision_that_no_worker_has_is_400_where_the_model_is_the_others()
    {
        await using var server = await StartBesideAsync(await TestServer.StartAsync(FakeInference.Thoughtful()));
        var response = await server.PostAsync(Path, TestServer.Chat(",\"precision\":\"int4\""));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal("precision", error.GetProperty("param").GetString());
        Assert.Contains("fp32, int8, auto", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deadline_that_passes_while_only_workers_of_other_models_are_there_may_be_tried_again()
    {
        var other = await TestServer.StartAsync(FakeInference.Thoughtful());
        await using var server = await StartBesideAsync(other);
        await other.StopAsync();
        // Longer than what was read of the workers is believed.
        var response = await server.PostAsync(Path, TestServer.Chat(",\"deadline\":4"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
    }

    /// <summary>Waits until it knows what the other has.</summary>
    private static async Task<TestServer> StartBesideAsync(TestServer other)
    {
        InferenceError missing = new(InferenceErrorKind.ModelNotFound, "There is mine.", "model");
        var server = await other.WithNeighbourAsync(FakeInference.Of(new InferenceEvent.Failed(missing)), "mine");
        await Eventually.HoldsAsync(
            async () => (await server.PostAsync(Path, TestServer.Chat())).StatusCode == HttpStatusCode.OK, () => $"an answer; {server.Errors}");
        return server;
    }
}
