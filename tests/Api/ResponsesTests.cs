using System.Net;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed class DirectResponsesTests : ResponsesTests
{
    internal override Task<TestServer> StartAsync(IInference inference) => TestServer.StartAsync(inference);
}

public sealed class QueuedResponsesTests : ResponsesTests
{
    internal override Task<TestServer> StartAsync(IInference inference) => TestServer.StartApartAsync(inference);
}

/// <summary>POST /v1/responses.</summary>
public abstract class ResponsesTests
{
    private const string Path = "/v1/responses";

    internal abstract Task<TestServer> StartAsync(IInference inference);

    [Fact]
    public async Task An_answer_has_its_reasoning_and_its_message_as_items()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync(
            Path, Body("\"6 * 7?\"", ",\"instructions\":\"be brief\",\"max_output_tokens\":9,\"metadata\":{\"a\":\"b\"}"));
        var answer = await TestServer.JsonAsync(response);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(("response", "completed", "be brief", 9, false), (
            Text(answer, "object"), Text(answer, "status"), Text(answer, "instructions"), answer.GetProperty("max_output_tokens").GetInt32(),
            answer.GetProperty("store").GetBoolean()));
        Assert.StartsWith("resp_", Text(answer, "id"), StringComparison.Ordinal);
        Assert.Equal("b", Text(answer.GetProperty("metadata"), "a"));
        var output = answer.GetProperty("output");
        Assert.Equal(2, output.GetArrayLength());
        Assert.Equal(("reasoning", "reasoning_text", "thinking"),
            (Text(output[0], "type"), Text(output[0].GetProperty("content")[0], "type"), Text(output[0].GetProperty("content")[0], "text")));
        var summary = output[0].GetProperty("summary")[0];
        Assert.Equal(("summary_text", "thinking"), (Text(summary, "type"), Text(summary, "text")));
        Assert.Equal(("message", "assistant", "output_text", "42"), (
            Text(output[1], "type"), Text(output[1], "role"), Text(output[1].GetProperty("content")[0], "type"),
            Text(output[1].GetProperty("content")[0], "text")));
        var usage = answer.GetProperty("usage");
        Assert.Equal((5, 3, 4, 2, 9), (
            usage.GetProperty("input_tokens").GetInt32(), usage.GetProperty("input_tokens_details").GetProperty("cached_tokens").GetInt32(),
            usage.GetProperty("output_tokens").GetInt32(),
            usage.GetProperty("output_tokens_details").GetProperty("reasoning_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32()));
    }

    [Fact]
    public async Task A_stream_builds_the_items_and_ends_with_the_answer_as_it_would_have_been()
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync(Path, Body("\"6 * 7?\"", ",\"stream\":true"));
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        var events = Events(await response.Content.ReadAsStringAsync());
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(one => one.Data.GetProperty("sequence_number").GetInt32()));
        Assert.All(events, one => Assert.Equal(one.Name, Text(one.Data, "type")));
        var names = events.Select(one => one.Name).ToList();
        Assert.Equal(["response.created", "response.in_progress", "response.output_item.added", "response.reasoning_summary_part.added"], names[..4]);
        Assert.Equal("thinking",
            string.Concat(events.Where(one => one.Name == "response.reasoning_summary_text.delta").Select(one => Text(one.Data, "delta"))));
        Assert.Equal("42", string.Concat(events.Where(one => one.Name == "response.output_text.delta").Select(one => Text(one.Data, "delta"))));
        Assert.Equal(["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"], names[^4..]);

        var whole = events[^1].Data.GetProperty("response");
        var plain = await TestServer.JsonAsync(await server.PostAsync(Path, Body("\"6 * 7?\"")));
        foreach (var name in (string[])["status", "usage", "text", "reasoning"])
            Assert.Equal(plain.GetProperty(name).GetRawText(), whole.GetProperty(name).GetRawText());
        Assert.Equal(plain.GetProperty("output").EnumerateArray().Select(Content), whole.GetProperty("output").EnumerateArray().Select(Content));
        Assert.Equal(
            whole.GetProperty("output").EnumerateArray().Select(item => item.GetRawText()),
            events.Where(one => one.Name == "response.output_item.done").Select(one => one.Data.GetProperty("item").GetRawText()));

        static string Content(JsonElement item) => item.GetProperty("content").GetRawText() + Text(item, "type");
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"stream\":true")]
    public async Task An_answer_cut_short_is_incomplete_and_has_a_message_even_without_text(string more)
    {
        await using var server = await StartAsync(FakeInference.Of(
            new InferenceEvent.Admitted(5, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Reasoning, "hm"),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Length), new InferenceEvent.Finished(new Usage(5, 1, 1))));
        var body = await (await server.PostAsync(Path, Body("\"hi\"", more))).Content.ReadAsStringAsync();
        var answer = more.Length == 0 ? JsonDocument.Parse(body).RootElement : Events(body)[^1].Data.GetProperty("response");
        Assert.Equal(("incomplete", "max_output_tokens"), (Text(answer, "status"), Text(answer.GetProperty("incomplete_details"), "reason")));
        Assert.Equal(["reasoning", "message"], answer.GetProperty("output").EnumerateArray().Select(item => Text(item, "type")));
    }

    [Fact]
    public async Task A_conversation_comes_as_items_and_earlier_reasoning_is_dropped()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await StartAsync(inference);
        const string Input = """
            [{"role":"developer","content":"be brief"},{"type":"message","role":"user","content":[{"type":"input_text","text":"6"},{"type":"input_text","text":" * 7?"}]},
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":null},
            {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"42","annotations":[],"logprobs":[]}]},
            {"role":"user","content":"sure?"}]
            """;
        var response = await server.PostAsync(Path, Body(Input, ",\"store\":true,\"include\":[\"reasoning.encrypted_content\"],\"tools\":[]"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(
            [
                new(ChatRole.System, "be brief"), new(ChatRole.User, "6 * 7?"), new ChatMessage(ChatRole.Assistant, "42"),
                new(ChatRole.User, "sure?"),
            ],
            Assert.IsType<Prompt.Chat>(inference.Requests[^1].Prompt).Messages);
    }

    [Theory]
    [InlineData("\"hi\"")]
    [InlineData("[{\"role\":\"user\",\"content\":\"hi\"}]")]
    public async Task The_effort_reaches_the_model(string input)
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await StartAsync(inference);
        var answer = await TestServer.JsonAsync(await server.PostAsync(Path, Body(input, ",\"reasoning\":{\"effort\":\"none\"}")));
        Assert.Equal("none", Text(answer.GetProperty("reasoning"), "effort"));
        Assert.Equal(Prompt.Chat.NoReasoning, Assert.IsType<Prompt.Chat>(inference.Requests[^1].Prompt).ReasoningEffort);
    }

    [Theory]
    [InlineData("\"hi\"", ",\"previous_response_id\":\"resp_1\"", "previous_response_id", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"conversation\":{\"id\":\"c\"}", "conversation", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"background\":true", "background", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"text\":{\"format\":{\"type\":\"json_object\"}}", "text.format", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"tools\":[{\"type\":\"web_search\"}]", "tools", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"tools\":[{}],\"tool_choice\":\"auto\"", "tools", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"top_logprobs\":3", "top_logprobs", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"include\":[\"message.output_text.logprobs\"]", "include", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"truncation\":\"auto\"", "truncation", "unsupported_parameter")]
    [InlineData("\"hi\"", ",\"max_tokens\":3", "max_tokens", "unknown_parameter")]
    [InlineData("\"hi\"", ",\"n\":2", "n", "unknown_parameter")]
    [InlineData("\"hi\"", ",\"reasoning\":{\"efort\":\"low\"}", "reasoning.efort", "unknown_parameter")]
    [InlineData("\"hi\"", ",\"reasoning\":{\"effort\":\"much\"}", "reasoning.effort", "invalid_value")]
    [InlineData("\"hi\"", ",\"metadata\":[]", "metadata", "invalid_type")]
    [InlineData("null", "", "input", "missing_required_parameter")]
    [InlineData("7", "", "input", "invalid_type")]
    [InlineData("[]", "", "input", "invalid_value")]
    [InlineData("[7]", "", "input[0]", "invalid_type")]
    [InlineData("[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]", "", "input[0].type", "unsupported_parameter")]
    [InlineData("[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}]", "", "input[0].type", "unsupported_parameter")]
    [InlineData("[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]", "", "input[0].content[0].type", "unsupported_parameter")]
    [InlineData("[{\"role\":\"user\"}]", "", "input[0].content", "missing_required_parameter")]
    public async Task What_is_not_there_is_refused_with_its_field(string input, string more, string param, string code)
    {
        await using var server = await StartAsync(FakeInference.Thoughtful());
        var response = await server.PostAsync(Path, Body(input, more));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        Assert.Equal((param, code), (Text(error, "param"), Text(error, "code")));
    }

    [Fact]
    public async Task What_the_engine_refuses_names_the_input_and_a_stream_that_breaks_says_so()
    {
        InferenceError error = new(InferenceErrorKind.ContextLengthExceeded, "Too long.", "messages");
        await using (var server = await StartAsync(FakeInference.Of(new InferenceEvent.Failed(error))))
        {
            var refused = (await TestServer.JsonAsync(await server.PostAsync(Path, Body("\"hi\"")))).GetProperty("error");
            Assert.Equal(("input", "context_length_exceeded"), (Text(refused, "param"), Text(refused, "code")));
        }

        await using var breaking = await StartAsync(FakeInference.Of(
            new InferenceEvent.Admitted(5, FakeInference.Variant), new InferenceEvent.Delta(0, DeltaKind.Answer, "4"),
            new InferenceEvent.Failed(error)));
        var events = Events(await (await breaking.PostAsync(Path, Body("\"hi\"", ",\"stream\":true"))).Content.ReadAsStringAsync());
        Assert.Equal(("error", "context_length_exceeded", "Too long."),
            (events[^1].Name, Text(events[^1].Data, "code"), Text(events[^1].Data.GetProperty("error"), "message")));
    }

    private static string Body(string input, string more = "") => $$"""{"model":"{{TestServer.Model}}","input":{{input}}{{more}}}""";

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static List<(string Name, JsonElement Data)> Events(string stream) =>
    [
        .. stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => block.StartsWith("event: ", StringComparison.Ordinal))
            .Select(block => block.Split('\n'))
            .Select(lines => (lines[0]["event: ".Length..], JsonDocument.Parse(lines[1]["data: ".Length..]).RootElement)),
    ];
}
