using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Tests.Hosting;

/// <summary>The extension for deadlines: how it is asked for, and what comes of it.</summary>
public sealed class DeadlineTests
{
    [Theory]
    [InlineData("", null, null)]
    [InlineData(",\"deadline\":2.5", null, 2.5)]
    [InlineData(",\"deadline\":0.001", null, 0.001)]
    [InlineData(",\"deadline\":604800", null, 604800.0)]
    [InlineData(",\"deadline\":null", "30", 30.0)]
    [InlineData(",\"deadline\":30", "30.0", 30.0)]
    public void Body_and_header_say_how_long(string body, string? header, double? seconds)
    {
        ValidationResult faults = new();
        var call = Read(body, header, faults);
        Assert.Null(faults.First);
        Assert.Equal(seconds, call!.Request.Deadline?.TotalSeconds);
    }

    [Theory]
    [InlineData(",\"deadline\":0", null, "deadline")]
    [InlineData(",\"deadline\":-1", null, "deadline")]
    [InlineData(",\"deadline\":604801", null, "deadline")]
    [InlineData(",\"deadline\":\"30\"", null, "deadline")]
    [InlineData(",\"deadline\":1e999", null, "deadline")]
    [InlineData(",\"deadline\":30", "31", "deadline")]
    [InlineData("", "soon", "x-r1-deadline")]
    [InlineData("", "", "x-r1-deadline")]
    [InlineData("", "NaN", "x-r1-deadline")]
    [InlineData("", "-3", "x-r1-deadline")]
    [InlineData("", "1e3", "x-r1-deadline")]
    public void What_is_no_such_time_is_refused(string body, string? header, string param)
    {
        ValidationResult faults = new();
        Assert.Null(Read(body, header, faults));
        Assert.Equal((400, param), (faults.First!.Status, faults.First.Param));
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"stream\":true")]
    public async Task Past_the_deadline_nothing_runs_and_the_client_is_told_not_to_try_again(string more)
    {
        FakeTimeProvider time = new();
        TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((_, stop) => NeverAsync(entered, [], stop));
        await using var server = await TestServer.StartAsync(inference, time: time);
        var asked = server.PostAsync("/v1/chat/completions", TestServer.Chat($",\"deadline\":10{more}"));
        await entered.Task;
        time.Advance(TimeSpan.FromSeconds(10));
        var response = await asked;
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal(("deadline_exceeded", "deadline", "timeout_error"),
            (error.GetProperty("code").GetString(), error.GetProperty("param").GetString(), error.GetProperty("type").GetString()));
        await inference.Cancelled;
    }

    [Fact]
    public async Task A_stream_that_has_begun_ends_with_the_error()
    {
        FakeTimeProvider time = new();
        TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        FakeInference inference = new((_, stop) => NeverAsync(entered, [new InferenceEvent.Admitted(1, FakeInference.Variant)], stop));
        await using var server = await TestServer.StartAsync(inference, time: time);
        var response = await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"deadline\":10,\"stream\":true"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await entered.Task;
        time.Advance(TimeSpan.FromSeconds(10));
        var last = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Equal("deadline_exceeded",
            JsonDocument.Parse(last["data: ".Length..]).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_request_in_time_is_as_without_a_deadline()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var answer = await TestServer.JsonAsync(await server.PostAsync("/v1/chat/completions", TestServer.Chat(",\"deadline\":60")));
        Assert.Equal("42", answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    private static CompletionCall? Read(string body, string? header, ValidationResult faults) =>
        CompletionCall.Read(CompletionApi.Chat, Encoding.UTF8.GetBytes(TestServer.Chat(body)), faults, deadlineHeader: header);

    private static async IAsyncEnumerable<InferenceEvent> NeverAsync(
        TaskCompletionSource entered, InferenceEvent[] first, [EnumeratorCancellation] CancellationToken stop)
    {
        foreach (var one in first) yield return one;
        entered.SetResult();
        await Task.Delay(Timeout.Infinite, stop);
    }
}
