using R1Serverless.Abstractions;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed class QueuedRequestTests : RequestTests
{
    internal override Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null) =>
        TestServer.StartApartAsync(inference, options);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whatever_goes_through_a_gateway_can_be_come_back_for(bool streamed)
    {
        await using var server = await OpenAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync(Path, TestServer.Chat(streamed ? ",\"stream\":true" : ""));
        var answer = await response.Content.ReadAsStringAsync();
        var record = await EndAsync(server, Header(response, "x-r1-request-id"));
        Assert.Equal("finished", record.GetProperty("status").GetString());
        Assert.Contains(record.GetProperty("response").GetProperty("id").GetString()!, answer, StringComparison.Ordinal);
        if (!streamed) Assert.Equal(answer, record.GetProperty("response").GetRawText());
    }

    [Fact]
    public async Task Taking_a_request_back_ends_its_stream_and_stops_the_worker()
    {
        var inference = Endless();
        await using var server = await OpenAsync(inference);
        var response = await server.PostAsync(Path, TestServer.Chat(",\"stream\":true"));
        var deleted = await server.Client.DeleteAsync($"/v1/requests/{Header(response, "x-r1-request-id")}");
        Assert.Equal("cancelled", (await TestServer.JsonAsync(deleted)).GetProperty("status").GetString());
        Assert.Contains("cancelled", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await inference.Cancelled.WaitAsync(TimeSpan.FromMinutes(1));
    }
}
