using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Client;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>A gateway and two workers as processes over one folder: requests go to the worker that has the beginning of their prompt, and whatever
/// becomes of it, none is lost.</summary>
public sealed class PrefixWorkersTests : IDisposable
{
    private const int Conversations = 8, Turns = 4;

    private readonly string _data = Directory.CreateTempSubdirectory("r1-prefix-workers-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_conversation_stays_with_its_worker_and_goes_on_where_that_hangs_or_is_killed()
    {
        await using var gateway = await StartAsync("gateway");
        await using ServeProcess one = await StartAsync("worker"), two = await StartAsync("worker");
        await UntilAsync(async () => (await gateway.Client.GetStringAsync("/health/ready")).Contains("\"workers\":2", StringComparison.Ordinal));
        using HttpInference asked = new(gateway.Client);

        var conversations = Enumerable.Range(0, Conversations).Select(Begin).ToArray();
        List<int> missed = [];
        for (var turn = 0; turn < Turns; turn++)
        {
            foreach (var messages in conversations)
            {
                var before = Tokens(messages);
                if (turn > 0) messages.Add(new ChatMessage(ChatRole.User, $"And now turn {turn}?"));
                var usage = await AskAsync(asked, messages);
                // All of the last turn's prompt but less than two blocks; the letters of this model's texts are tokens, or nearly.
                if (turn > 0 && usage.CachedTokens < before * 3 / 4) missed.Add(usage.CachedTokens);
                messages.Add(new ChatMessage(ChatRole.Assistant, "It is so."));
            }
        }

        // By chance it would be half of them. A machine that stands still for a moment may let a request go to the other.
        Assert.True(missed.Count <= Conversations * (Turns - 1) / 4, string.Join(' ', missed));

        // Who has the first conversation?
        using HttpInference first = new(one.Client);
        var isAtOne = (await AskAsync(first, conversations[0])).CachedTokens > 0;
        ServeProcess home = isAtOne ? one : two, other = isAtOne ? two : one;
        // It is still taken for alive, and named.
        home.SendSuspend();
        foreach (var messages in conversations) await AskAsync(asked, messages);
        await home.KillAsync();
        foreach (var messages in conversations) Assert.True((await AskAsync(asked, messages)).CachedTokens > 0);
        Assert.Equal((0, 0), await other.LoadAsync());
    }

    private static int Tokens(List<ChatMessage> messages) => messages.Sum(message => message.Content.Length);

    private static List<ChatMessage> Begin(int conversation) =>
    [
        new(ChatRole.System, string.Join(' ', Enumerable.Range(conversation * 100, 150).Select(i => i.ToString(CultureInfo.InvariantCulture)))),
        new(ChatRole.User, $"What is {conversation} + 30?"),
    ];

    private static async Task<Usage> AskAsync(HttpInference server, List<ChatMessage> messages)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = ServeProcess.Model, Prompt = new Prompt.Chat(messages), MaxTokens = 4, IgnoreEndOfSequence = true,
        };
        Usage? usage = null;
        await foreach (var inferenceEvent in server.RunAsync(request, Stop))
        {
            if (inferenceEvent is InferenceEvent.Failed failed) Assert.Fail(failed.Error.Message);
            if (inferenceEvent is InferenceEvent.Finished finished) usage = finished.Usage;
        }

        return Assert.IsType<Usage>(usage);
    }

    private static async Task UntilAsync(Func<Task<bool>> holds) =>
        await Eventually.HoldsAsync(async () => await holds(), () => "the state of the workers");

    private Task<ServeProcess> StartAsync(string role) =>
        ServeProcess.StartInAsync(_data, ["--role", role, "--lease", "3", .. role == "worker" ? new[] { "--kv-memory", "64MB" } : []]);
}
