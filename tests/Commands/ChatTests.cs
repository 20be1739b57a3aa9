using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Commands;

public sealed class ChatTests
{
    [Fact]
    public async Task Elsewhere_than_on_a_terminal_the_reasoning_stands_between_tags()
    {
        var (text, code) = await TalkAsync(FakeInference.Thoughtful(), "6 * 7?\n");
        Assert.Equal("<think>\nthinking\n</think>\n\n42\n", text);
        Assert.Equal(0, code);
    }

    [Fact]
    public async Task On_a_terminal_the_reasoning_is_dimmed()
    {
        var (text, _) = await TalkAsync(FakeInference.Thoughtful(), "6 * 7?\n/exit\nnot read\n", terminal: true);
        Assert.Equal("> \u001b[2mthinking\u001b[0m\n\n42\n> ", text);
    }

    [Fact]
    public async Task What_was_said_goes_along_without_its_reasoning_until_it_is_cleared()
    {
        var engine = FakeInference.Thoughtful();
        await TalkAsync(engine, "one\n\ntwo\n/clear\nthree\n", system: "be brief");
        Assert.Equal(
            ["be brief|one", "be brief|one|42|two", "be brief|three"],
            engine.Requests.Select(r => string.Join('|', ((Prompt.Chat)r.Prompt).Messages.Select(m => m.Content))));
        Assert.Equal(ChatRole.Assistant, ((Prompt.Chat)engine.Requests[1].Prompt).Messages[2].Role);
    }

    [Fact]
    public async Task A_failed_answer_leaves_the_conversation_and_decides_the_exit_code()
    {
        var failures = 1;
        var engine = new FakeInference((_, token) => failures-- > 0
            ? FakeInference.Of(new InferenceEvent.Failed(new(InferenceErrorKind.QueueFull, "full"))).RunAsync(null!, token)
            : FakeInference.Of(new InferenceEvent.Delta(0, DeltaKind.Answer, "yes"), new InferenceEvent.Finished(new(1, 1, 0)))
            .RunAsync(null!, token));
        var (text, code) = await TalkAsync(engine, "one\ntwo\n");
        Assert.Equal(("yes\n", 1), (text, code));
        Assert.Single(((Prompt.Chat)engine.Requests[1].Prompt).Messages);
    }

    [Fact]
    public async Task Stopping_keeps_what_was_shown()
    {
        using CancellationTokenSource stop = new();
        var engine = new FakeInference((_, token) => Stopped(stop, token));
        StringWriter output = new() { NewLine = "\n" };
        var conversation =
            new Conversation(engine, "r1-nano", null, new SamplingOptions(), new ChatScreen(output, isTerminal: false), new PrecisionPreference());
        Assert.Null(await conversation.AskAsync("one", stop.Token));
        Assert.Equal("half\n", output.ToString());
        Assert.Null(await conversation.AskAsync("two", stop.Token));
        Assert.Equal(["one", "half", "two"], ((Prompt.Chat)engine.Requests[1].Prompt).Messages.Select(m => m.Content));
    }

    private static async IAsyncEnumerable<InferenceEvent> Stopped(
        CancellationTokenSource stop, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
    {
        yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "half");
        await stop.CancelAsync();
        await Task.Delay(Timeout.Infinite, token);
    }

    private static async Task<(string Text, int Code)> TalkAsync(IInference inference, string input, bool terminal = false, string? system = null)
    {
        StringWriter output = new() { NewLine = "\n" };
        ChatScreen screen = new(output, terminal);
        using ChatCommand.StopSignal signal = new();
        var conversation = new Conversation(inference, "r1-nano", system, new SamplingOptions(), screen, new PrecisionPreference());
        var code = await ChatCommand.ConverseAsync(conversation, screen, new StringReader(input), signal);
        return (output.ToString().Replace("Begun anew.\n", "", StringComparison.Ordinal), code);
    }
}
