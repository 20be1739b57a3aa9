using System.Net;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Requests at a gateway that nobody works for yet.</summary>
public sealed class RequestDeadlineTests
{
    [Fact]
    public async Task What_has_expired_is_never_run_when_a_worker_comes()
    {
        var gateway = await TestServer.StartGatewayAsync();
        var waiting = RequestTests.PostAsync(gateway, TestServer.Chat(",\"deadline\":1"));
        var deferred =
            RequestTests.Header(await RequestTests.PostAsync(gateway, TestServer.Chat(",\"deadline\":1"), ("Prefer", "respond-async")),
                "x-r1-request-id");
        var late = await waiting;
        // Nobody was there to run it, which another try may find otherwise.
        Assert.Equal(HttpStatusCode.ServiceUnavailable, late.StatusCode);
        Assert.NotNull(late.Headers.RetryAfter);
        var last = RequestTests.Header(await RequestTests.PostAsync(gateway, TestServer.Chat(), ("Prefer", "respond-async")), "x-r1-request-id");

        var inference = FakeInference.Thoughtful();
        await using var worker = await gateway.WithWorkerAsync(inference);
        Assert.Equal("finished", Status(await RequestTests.EndAsync(gateway, last)));
        Assert.Equal("expired", Status(await RequestTests.EndAsync(gateway, deferred)));
        Assert.Equal("expired", Status(await RequestTests.EndAsync(gateway, RequestTests.Header(late, "x-r1-request-id"))));
        Assert.Equal(new RequestId(last), Assert.Single(inference.Requests).Id);
    }

    private static string? Status(JsonElement record) => record.GetProperty("status").GetString();
}
