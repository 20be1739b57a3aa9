using System.Net;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using R1Serverless.Abstractions;
using R1Serverless.Api.Endpoints;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

/// <summary>Streams whose first event takes its time.</summary>
public sealed partial class EventStreamTests
{
    [Fact]
    public async Task A_request_that_waits_for_its_model_gets_its_stream_and_heartbeats_when_the_first_is_due()
    {
        WatchedTime time = new();
        (var inference, var events, var asked) = Scripted();
        await using var server = await TestServer.StartAsync(inference, time: time);
        var sent = server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        await asked;
        var response = await UntilDueAsync(time, sent);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        for (var beat = 0; beat < 3; beat++)
        {
            if (beat > 0) time.Advance(EventStream.HeartbeatInterval);
            Assert.Equal(": heartbeat", await reader.ReadLineAsync());
            Assert.Equal("", await reader.ReadLineAsync());
        }

        foreach (var one in (InferenceEvent[])[new InferenceEvent.Admitted(1, FakeInference.Variant),
            new InferenceEvent.Delta(0, DeltaKind.Answer, "42"),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Stop), new InferenceEvent.Finished(SomeUsage)])
        {
            events.Writer.TryWrite(one);
        }

        string[] lines = [.. (await reader.ReadToEndAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)];
        Assert.Equal("assistant", Delta(lines[0]).GetProperty("role").GetString());
        Assert.Equal("42", Delta(lines[1]).GetProperty("content").GetString());
        Assert.Equal("data: [DONE]", lines[^1]);
    }

    [Fact]
    public async Task A_refusal_after_the_stream_has_begun_is_an_error_event()
    {
        WatchedTime time = new();
        (var inference, var events, var asked) = Scripted();
        await using var server = await TestServer.StartAsync(inference, time: time);
        var sent = server.PostAsync("/v1/completions", TestServer.Completion(",\"stream\":true"));
        await asked;
        var response = await UntilDueAsync(time, sent);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        // The headers go ahead of it.
        Assert.Equal(": heartbeat", await reader.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal("", await reader.ReadLineAsync());
        events.Writer.TryWrite(new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Unavailable, "Other models are busy.")));
        var lines = (await reader.ReadToEndAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("Other models are busy.", Chunk(lines[^1]).GetProperty("error").GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_refusal_before_the_first_heartbeat_keeps_its_status()
    {
        WatchedTime time = new();
        (var inference, var events, var asked) = Scripted();
        await using var server = await TestServer.StartAsync(inference, time: time);
        var sent = server.PostAsync("/v1/completions", TestServer.Completion(",\"stream\":true"));
        await asked;
        await time.UntilAwaitedAsync(EventStream.HeartbeatInterval);
        time.Advance(EventStream.HeartbeatInterval - TimeSpan.FromSeconds(1));
        Assert.False(sent.IsCompleted);
        events.Writer.TryWrite(new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Unavailable, "Other models are busy.")));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await sent).StatusCode);
    }

    [Fact]
    public async Task A_client_that_goes_away_before_the_first_event_cancels_its_request()
    {
        (var inference, _, var asked) = Scripted();
        await using var server = await TestServer.StartAsync(inference);
        using CancellationTokenSource leave = new();
        var sent = server.Client.SendAsync(
            TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat(",\"stream\":true"))), leave.Token);
        await asked;
        await leave.CancelAsync();
        await inference.Cancelled.WaitAsync(TimeSpan.FromSeconds(30));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent);
    }

    /// <summary>An engine that gives what the test writes; the task ends when it has been asked.</summary>
    private static (FakeInference Inference, Channel<InferenceEvent> Events, Task Asked) Scripted()
    {
        var events = Channel.CreateUnbounded<InferenceEvent>();
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return (new FakeInference((_, stop) => Play(stop)), events, asked.Task);

        async IAsyncEnumerable<InferenceEvent> Play([EnumeratorCancellation] CancellationToken stop)
        {
            asked.SetResult();
            await foreach (var one in events.Reader.ReadAllAsync(stop)) yield return one;
        }
    }

    /// <summary>The answer that begins when the first heartbeat is due. The server may still be on its way to its timer when the engine has been
    /// asked.</summary>
    private static async Task<HttpResponseMessage> UntilDueAsync(WatchedTime time, Task<HttpResponseMessage> sent)
    {
        await time.UntilAwaitedAsync(EventStream.HeartbeatInterval);
        Assert.False(sent.IsCompleted);
        time.Advance(EventStream.HeartbeatInterval);
        return await sent.WaitAsync(TimeSpan.FromMinutes(1));
    }
}
