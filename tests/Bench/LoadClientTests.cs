using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Bench;

public sealed class LoadClientTests
{
    [Theory]
    [InlineData(12, true)]
    [InlineData(11, false)]
    public async Task The_engine_must_give_as_many_tokens_as_asked_for(int tokens, bool isRight)
    {
        var client = Client(Delta, new InferenceEvent.Finished(new Usage(3, tokens, 0)));
        var send = client.SendAsync([1, 2, 3], 12, () => { }, TestContext.Current.CancellationToken);
        if (isRight) Assert.Equal(12, await send);
        else await Assert.ThrowsAsync<BenchException>(() => send);
    }

    [Theory]
    [InlineData(5, 5)]
    [InlineData(0, 2)]
    public async Task A_server_may_end_early_and_its_texts_count_where_it_tells_no_usage(int told, int counted)
    {
        var texts = 0;
        var client = Client(Delta, Delta, new InferenceEvent.Finished(new Usage(3, told, 0)));
        Assert.Equal(counted, await client.ChatAsync([1, 2, 3], 12, ignoreEnd: false, () => texts++, TestContext.Current.CancellationToken));
        Assert.Equal(2, texts);
    }

    [Fact]
    public async Task A_failed_request_ends_the_measurement()
    {
        var client = Client(Delta, new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Unavailable, "Too busy.")));
        var chat = client.ChatAsync([1], 12, ignoreEnd: false, () => { }, TestContext.Current.CancellationToken);
        var fault = await Assert.ThrowsAsync<BenchException>(() => chat);
        Assert.Equal("Too busy.", fault.Message);
    }

    private static InferenceEvent.Delta Delta => new(0, DeltaKind.Answer, "a");

    private static LoadClient Client(params InferenceEvent[] events) =>
        new(FakeInference.Of([new InferenceEvent.Admitted(3, FakeInference.Variant), .. events]), "m");
}
