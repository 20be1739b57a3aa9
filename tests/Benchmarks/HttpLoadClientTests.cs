using System.Net;
using System.Text;
using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

public sealed class HttpLoadClientTests
{
    private const string Text =
        """data: {"id":"x","choices":[{"index":0,"text":"\"finish_reason\":\"completion_tokens\":7","logprobs":null,"finish_reason":null}],"usage":null}""";
    private const string End = """data: {"id":"x","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"length"}],"usage":null}""";
    private const string Usage = """data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":12,"total_tokens":15}}""";
    private const string Error = """data: {"error":{"message":"The engine failed.","type":"server_error"}}""";

    [Fact]
    public async Task It_counts_chunks_of_text_and_reads_the_usage() =>
    Assert.Equal((12, 2), await SendAsync(Text, ": heartbeat", Text, End, Usage, "data: [DONE]"));

    [Fact]
    public async Task It_refuses_a_stream_that_breaks_off() => await Assert.ThrowsAsync<BenchException>(() => SendAsync(Text, Text));

    [Fact]
    public async Task It_refuses_a_stream_that_ends_with_an_error()
    {
        var fault = await Assert.ThrowsAsync<BenchException>(() => SendAsync(Text, Error));
        Assert.Contains("The engine failed.", fault.Message);
    }

    private static async Task<(int Tokens, int Texts)> SendAsync(params string[] events)
    {
        using var client = new HttpClient(new Canned(string.Concat(events.Select(e => $"{e}\n\n")))) { BaseAddress = new Uri("http://localhost/") };
        var texts = 0;
        var tokens = await new HttpLoadClient(client, "m").SendAsync([1, 2, 3], 12, () => texts++, TestContext.Current.CancellationToken);
        return (tokens, texts);
    }

    private sealed class Canned(string body) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) });
    }
}
