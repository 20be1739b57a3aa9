using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Api.Endpoints;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed partial class EventStreamTests
{
    private static readonly Usage SomeUsage = new(5, 4, 2);

    [Fact]
    public async Task A_chat_stream_is_role_reasoning_answer_finish_and_done()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        List<string> lines = [.. (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)];
        Assert.Equal("data: [DONE]", lines[^1]);
        JsonElement[] chunks = [.. lines[..^1].Select(Chunk)];
        Assert.All(chunks, chunk => Assert.Equal("chat.completion.chunk", chunk.GetProperty("object").GetString()));
        Assert.Single(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct());
        JsonElement[] deltas = [.. chunks.Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta"))];
        Assert.Equal("assistant", deltas[0].GetProperty("role").GetString());
        Assert.Equal(["think", "ing"], deltas[1..3].Select(delta => delta.GetProperty("reasoning_content").GetString()));
        Assert.Equal(["think", "ing"], deltas[1..3].Select(delta => delta.GetProperty("reasoning").GetString()));
        Assert.Equal("42", deltas[3].GetProperty("content").GetString());
        Assert.Equal("stop", chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.All(chunks[..^1], chunk => Assert.Equal(JsonValueKind.Null, chunk.GetProperty("choices")[0].GetProperty("finish_reason").ValueKind));
        Assert.All(chunks, chunk => Assert.False(chunk.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task Usage_comes_last_when_asked_for()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var body =
            await StreamAsync(server, "/v1/completions", TestServer.Completion(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
        JsonElement[] chunks = [.. body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1].Select(Chunk)];
        Assert.Equal("thinking42", string.Concat(chunks[..^1].Select(chunk => chunk.GetProperty("choices")[0].GetProperty("text").GetString())));
        Assert.All(chunks[..^1], chunk => Assert.Equal(JsonValueKind.Null, chunk.GetProperty("usage").ValueKind));
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(9, chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Fact]
    public async Task Text_offsets_go_on_from_chunk_to_chunk()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var body = await StreamAsync(server, "/v1/completions", TestServer.Completion(",\"stream\":true,\"logprobs\":1"));
        var logprobs = body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1].Select(Chunk)
            .Select(chunk => chunk.GetProperty("choices")[0].GetProperty("logprobs")).Where(one => one.ValueKind == JsonValueKind.Object);
        Assert.Equal([0, 5, 8], logprobs.Select(one => one.GetProperty("text_offset")[0].GetInt32()));
    }

    [Theory]
    [InlineData("line\nbreak\r\n\n")]
    [InlineData("quote \" and \\ and \u0001")]
    [InlineData("思考 – 🧮 <b>&amp;</b>")]
    public async Task Any_text_survives_the_framing(string text)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Of(
            new InferenceEvent.Admitted(1, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Reasoning, text),
            new InferenceEvent.Delta(0, DeltaKind.Answer, text),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Length), new InferenceEvent.Finished(SomeUsage)));
        var lines = (await StreamAsync(server, "/v1/chat/completions", TestServer.Chat(",\"stream\":true"))).Split("\n\n");
        Assert.Equal(text, Delta(lines[1]).GetProperty("reasoning").GetString());
        Assert.Equal(text, Delta(lines[1]).GetProperty("reasoning_content").GetString());
        Assert.Equal(text, Delta(lines[2]).GetProperty("content").GetString());
        Assert.Equal("length", Chunk(lines[3]).GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task A_long_text_and_many_events_arrive_whole()
    {
        string text = new('x', 100_000);
        await using var server = await TestServer.StartAsync(FakeInference.Of(
        [
            new InferenceEvent.Admitted(1, FakeInference.Variant), .. Enumerable.Repeat(new InferenceEvent.Delta(0, DeltaKind.Reasoning, text), 20),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Stop), new InferenceEvent.Finished(SomeUsage),
        ]));
        var lines = (await StreamAsync(server, "/v1/chat/completions", TestServer.Chat(",\"stream\":true"))).Split("\n\n");
        Assert.Equal(2_000_000, lines[1..21].Sum(line => Delta(line).GetProperty("reasoning").GetString()!.Length));
    }

    [Fact]
    public async Task A_failure_in_mid_stream_is_an_error_event_and_the_end()
    {
        InferenceError error = new(InferenceErrorKind.OutOfMemory, "too large for this device");
        await using var server = await TestServer.StartAsync(FakeInference.Of(
            new InferenceEvent.Admitted(1, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Answer, "4"),
            new InferenceEvent.Failed(error)));
        var lines =
            (await StreamAsync(server, "/v1/chat/completions", TestServer.Chat(",\"stream\":true"))).Split("\n\n",
                StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("too large for this device", Chunk(lines[^1]).GetProperty("error").GetProperty("message").GetString());
    }

    [Fact]
    public async Task An_engine_that_throws_in_mid_stream_gives_an_error_event_without_details()
    {
        FakeInference inference = new((_, _) => ThrowAfterOne());
        await using var server = await TestServer.StartAsync(inference);
        var body = await StreamAsync(server, "/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        var last = body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Equal("internal_error", Chunk(last).GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain("a detail", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silence_is_filled_with_heartbeats()
    {
        FakeTimeProvider time = new();
        var channel = Channel.CreateUnbounded<InferenceEvent>();
        FakeInference inference = new((_, stop) => channel.Reader.ReadAllAsync(stop));
        await using var server = await TestServer.StartAsync(inference, time: time);
        channel.Writer.TryWrite(new InferenceEvent.Admitted(1, FakeInference.Variant));
        var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"stream\":true"));
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        Assert.Contains("assistant", await reader.ReadLineAsync(), StringComparison.Ordinal);
        Assert.Equal("", await reader.ReadLineAsync());
        for (var beat = 0; beat < 3; beat++)
        {
            time.Advance(EventStream.HeartbeatInterval);
            Assert.Equal(": heartbeat", await reader.ReadLineAsync());
            Assert.Equal("", await reader.ReadLineAsync());
        }

        channel.Writer.TryWrite(new InferenceEvent.Delta(0, DeltaKind.Answer, "42"));
        Assert.Equal("42", Delta((await reader.ReadLineAsync())!).GetProperty("content").GetString());
        channel.Writer.TryWrite(new InferenceEvent.ChoiceFinished(0, FinishReason.Stop));
        channel.Writer.TryWrite(new InferenceEvent.Finished(SomeUsage));
        Assert.EndsWith("data: [DONE]\n\n", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(",\"stream\":true")]
    [InlineData("")]
    public async Task A_client_that_goes_away_cancels_its_request(string more)
    {
        TaskCompletionSource running = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((_, stop) => AdmitThenHang(running, stop));
        await using var server = await TestServer.StartAsync(inference);
        using CancellationTokenSource leave = new();
        var sent = server.Client.SendAsync(
            TestServer.Post("/v1/chat/completions", System.Text.Encoding.UTF8.GetBytes(TestServer.Chat(more))),
            HttpCompletionOption.ResponseHeadersRead, leave.Token);
        await running.Task;
        if (more.Length > 0) (await sent).Dispose();
        else await leave.CancelAsync();
        await inference.Cancelled.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private static async IAsyncEnumerable<InferenceEvent> AdmitThenHang(
        TaskCompletionSource running, [EnumeratorCancellation] CancellationToken stop = default)
    {
        yield return new InferenceEvent.Admitted(1, FakeInference.Variant);
        running.SetResult();
        await Task.Delay(Timeout.Infinite, stop);
    }

    private static async IAsyncEnumerable<InferenceEvent> ThrowAfterOne()
    {
        yield return new InferenceEvent.Admitted(1, FakeInference.Variant);
        await Task.Yield();
        throw new InvalidOperationException("a detail");
    }

    private static async Task<string> StreamAsync(TestServer server, string path, string body) =>
        await (await server.PostAsync(path, body)).Content.ReadAsStringAsync();

    private static JsonElement Chunk(string line)
    {
        Assert.StartsWith("data: {", line, StringComparison.Ordinal);
        return JsonDocument.Parse(line["data: ".Length..]).RootElement;
    }

    private static JsonElement Delta(string line) => Chunk(line).GetProperty("choices")[0].GetProperty("delta");
}
