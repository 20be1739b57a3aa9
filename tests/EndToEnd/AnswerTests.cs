using System.ClientModel;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using OpenAI.Chat;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>The shipped model in one real process, asked by real clients.</summary>
public sealed class DirectAnswerTests(SharedServer shared) : AnswerTests, IClassFixture<SharedServer>
{
    protected override ServeProcess Server => shared.Process;

    protected override ServeProcess Worker => shared.Process;
}

/// <summary>The same through a gateway and a queue.</summary>
public sealed class QueuedAnswerTests(SharedPair shared) : AnswerTests, IClassFixture<SharedPair>
{
    protected override ServeProcess Server => shared.Gateway;

    protected override ServeProcess Worker => shared.Worker;
}

public abstract class AnswerTests
{
    private static readonly ChatCompletionOptions Greedy = new() { Temperature = 0 };

    /// <summary>Who is asked.</summary>
    protected abstract ServeProcess Server { get; }

    /// <summary>Whose engine answers.</summary>
    protected abstract ServeProcess Worker { get; }

    [Fact]
    public async Task The_sdk_gets_a_right_answer()
    {
        ChatCompletion answer = await Server.Chat().CompleteChatAsync([new UserChatMessage("What is 347 + 85?")], Greedy);
        Assert.Equal("432", Assert.Single(answer.Content).Text.Trim());
        Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        Assert.InRange(answer.Usage.OutputTokenDetails.ReasoningTokenCount, 1, answer.Usage.OutputTokenCount - 1);
    }

    [Fact]
    public async Task The_sdk_gets_a_right_answer_as_a_stream()
    {
        StringBuilder text = new();
        await foreach (var update in Server.Chat().CompleteChatStreamingAsync([new UserChatMessage("What is 12 + 30?")], Greedy))
        {
            foreach (var part in update.ContentUpdate) text.Append(part.Text);
        }

        Assert.Equal("42", text.ToString().Trim());
    }

    [Fact]
    public async Task A_stream_reasons_first_and_then_answers_as_without_streaming()
    {
        using var whole =
            JsonDocument.Parse(await (await Server.Client.SendAsync(ServeProcess.Ask("What is 56 + 27?"))).Content.ReadAsStringAsync());
        var message = whole.RootElement.GetProperty("choices")[0].GetProperty("message");
        (var reasoning, var answer) = await StreamAsync("What is 56 + 27?");
        Assert.Equal("83", answer.Trim());
        Assert.NotEqual("", reasoning);
        Assert.Equal((message.GetProperty("reasoning_content").GetString(), message.GetProperty("content").GetString()), (reasoning, answer));
    }

    [Fact]
    public async Task A_hundred_streams_at_once_are_all_right()
    {
        (int A, int B)[] sums = [.. Enumerable.Range(0, 100).Select(i => (11 + (i * 37 % 89), 10 + (i * 53 % 90)))];
        string[] answers =
            [.. (await Task.WhenAll(sums.Select(sum => StreamAsync($"What is {sum.A} + {sum.B}?")))).Select(pair => pair.Answer.Trim())];
        Assert.Equal(sums.Select(sum => (sum.A + sum.B).ToString(CultureInfo.InvariantCulture)), answers);
        await Worker.UntilIdleAsync();
    }

    [Fact]
    public async Task Errors_reach_the_sdk_with_their_status()
    {
        var unknown = await Assert.ThrowsAsync<ClientResultException>(
            () => Server.Chat("no-such-model").CompleteChatAsync([new UserChatMessage("hi")], Greedy));
        Assert.Equal(404, unknown.Status);
        Assert.Contains("model_not_found", unknown.GetRawResponse()!.Content.ToString(), StringComparison.Ordinal);

        var tooLong = string.Concat(Enumerable.Repeat("1 + 2 + ", 20_000));
        var beyond = await Assert.ThrowsAsync<ClientResultException>(
            () => Server.Chat().CompleteChatAsync([new UserChatMessage(tooLong)], Greedy));
        Assert.Equal(400, beyond.Status);
        Assert.Contains("context_length_exceeded", beyond.GetRawResponse()!.Content.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_is_cancelled_frees_its_slot()
    {
        using (await Server.BeginLongStreamAsync(tokens: 4000, choices: 16)) Assert.True((await Worker.LoadAsync()).Running >= 1);
        await Worker.UntilIdleAsync();
    }

    [Fact]
    public async Task A_client_that_is_killed_frees_its_slot()
    {
        using (Socket socket = new(SocketType.Stream, ProtocolType.Tcp))
        {
            await socket.ConnectAsync(Server.Client.BaseAddress!.Host, Server.Client.BaseAddress.Port);
            var body =
                $$"""{"model":"{{ServeProcess.Model}}","messages":[{"role":"user","content":"What is 2 + 2?"}],"stream":true,"ignore_eos":true,"max_tokens":1900}""";
            var head =
                $"POST /v1/chat/completions HTTP/1.1\r\nHost: r1\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n";
            await socket.SendAsync(Encoding.ASCII.GetBytes(head + body));
            Assert.NotEqual(0, await socket.ReceiveAsync(new byte[1024]));
            // Closes with a reset, as the kernel does for a killed process with unread data.
            socket.LingerState = new LingerOption(true, 0);
        }

        await Worker.UntilIdleAsync();
        Assert.Equal("42", (await StreamAsync("What is 12 + 30?")).Answer.Trim());
    }

    private async Task<(string Reasoning, string Answer)> StreamAsync(string question)
    {
        var response = await Server.Client.SendAsync(ServeProcess.Ask(question, ",\"stream\":true"), HttpCompletionOption.ResponseHeadersRead);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        (StringBuilder reasoning, StringBuilder answer) = (new(), new());
        while (await reader.ReadLineAsync() is { } line && line != "data: [DONE]")
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            using var chunk = JsonDocument.Parse(line["data: ".Length..]);
            var delta = chunk.RootElement.GetProperty("choices")[0].GetProperty("delta");
            if (delta.TryGetProperty("reasoning_content", out var thought))
            {
                Assert.Equal(0, answer.Length);
                reasoning.Append(thought.GetString());
            }

            if (delta.TryGetProperty("content", out var text)) answer.Append(text.GetString());
        }

        return (reasoning.ToString(), answer.ToString());
    }
}
