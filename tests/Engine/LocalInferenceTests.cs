using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;

namespace R1Serverless.Tests.Engine;

/// <summary>The real graph, tokenizer and engine together, without HTTP.</summary>
public sealed class LocalInferenceTests : IAsyncDisposable
{
    private static readonly string[] Questions = ["What is 12 + 30?", "9.11和9.9哪个大？", "Compute 47*36.", "How much is 1234 minus 999?", "Hello"];

    private LocalInference _inference = Open(new EngineOptions());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_greedy_answer_is_the_same_alone_and_in_company()
    {
        var requests = Enumerable.Range(0, 24).Select(i => Ask(Questions[i % 5], tokens: 20 + (i * 3)) with { Sampling = new() { Temperature = 0 } })
            .ToList();
        var longText = string.Join(' ', Enumerable.Range(0, 400));
        requests.Add(
            new InferenceRequest
            {
                Id = RequestId.New(), Model = "r1-nano", Prompt = new Prompt.Text(longText), MaxTokens = 30,
                Sampling = new() { Temperature = 0 }
            });
        var alone = new List<Fold>();
        foreach (var request in requests) alone.Add(await FoldAsync(request));
        var together = await Task.WhenAll(requests.Select(FoldAsync));
        Assert.Equal(alone.Select(a => (a.Text, a.Usage! with { CachedTokens = 0 })),
            together.Select(t => (t.Text, t.Usage! with { CachedTokens = 0 })));
        Assert.True(alone[^1].Usage!.PromptTokens > 1000);
    }

    [Fact]
    public async Task A_seed_gives_the_same_text_whatever_the_company()
    {
        var request = Nonsense(60) with { Sampling = Wild(7) };
        var alone = await FoldAsync(request);
        var company = Enumerable.Range(0, 12).Select(i => FoldAsync(Ask(Questions[i % 5], 80) with { Sampling = Wild(i) }));
        var together = await Task.WhenAll(company.Append(FoldAsync(request)));
        Assert.Equal(alone.Text, together[^1].Text);
        Assert.NotEqual(alone.Text, (await FoldAsync(request with { Sampling = Wild(8) })).Text);
    }

    [Fact]
    public async Task Choices_differ_and_are_counted_together()
    {
        var answer = await FoldAsync(Nonsense(20) with { Choices = 3, Sampling = Wild(3) });
        Assert.Equal(3, answer.Text.Values.Distinct().Count());
        Assert.Equal(60, answer.Usage!.CompletionTokens);
        Assert.Equal([FinishReason.Length, FinishReason.Length, FinishReason.Length], answer.Reasons);
    }

    [Fact]
    public async Task A_stop_text_ends_the_answer_and_its_slot()
    {
        var request = new InferenceRequest
        {
            Id = RequestId.New(), Model = "r1-nano", Prompt = new Prompt.Text("What is 12 + 30?"), MaxTokens = 200, IgnoreEndOfSequence = true,
            Sampling = new() { Temperature = 0 },
        };
        var whole = (await FoldAsync(request)).Text[0];
        var stop = whole.Substring(whole.Length / 2, 3);
        var stopped = await FoldAsync(request with { Stop = [stop] });
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], stopped.Text.GetValueOrDefault(0, ""));
        Assert.Equal([FinishReason.Stop], stopped.Reasons);
        await ComesToRestAsync();
    }

    [Fact]
    public async Task Leaving_frees_the_slot_at_the_next_step()
    {
        await using (var events = _inference.RunAsync(Ask(Questions[0], 4000) with { IgnoreEndOfSequence = true }, Cancellation)
            .GetAsyncEnumerator(Cancellation))
        {
            for (var i = 0; i < 5; i++) Assert.True(await events.MoveNextAsync());
            Assert.Equal(1, _inference.Variants[0].Load.Running);
        }

        await ComesToRestAsync();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var inferenceEvent in _inference.RunAsync(Ask(Questions[0], 4000) with { IgnoreEndOfSequence = true }, leaving.Token))
            {
                if (inferenceEvent is InferenceEvent.Delta) await leaving.CancelAsync();
            }
        });
        await ComesToRestAsync();
    }

    [Fact]
    public async Task A_full_queue_refuses_and_admits_again()
    {
        await _inference.DisposeAsync();
        _inference = Open(new EngineOptions { KvMemory = 2048 * 512, MaxWaiting = 2 });
        await using var first = _inference.RunAsync(Ask(Questions[0], 200) with { IgnoreEndOfSequence = true }, Cancellation)
            .GetAsyncEnumerator(Cancellation);
        while (await first.MoveNextAsync() && first.Current is not InferenceEvent.Delta)
        {
        }

        var coalescer = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => FoldAsync(Ask(Questions[0], 100) with { IgnoreEndOfSequence = true })));
        Assert.Contains(coalescer, a => a.Error is { Kind: InferenceErrorKind.QueueFull, RetryAfter: not null });
        Assert.Contains(coalescer, a => a.Usage is { CompletionTokens: 100 });
        Assert.NotNull((await FoldAsync(Ask(Questions[0], 10))).Usage);
    }

    [Theory]
    [InlineData("gpt-4", 10, InferenceErrorKind.ModelNotFound, "model")]
    [InlineData("r1-nano", 5000, InferenceErrorKind.ContextLengthExceeded, "prompt")]
    public async Task What_cannot_run_is_refused_with_its_field(string model, int prompt, InferenceErrorKind kind, string field)
    {
        var request = new InferenceRequest { Id = RequestId.New(), Model = model, Prompt = new Prompt.Tokens([.. Enumerable.Repeat(20, prompt)]) };
        var error = (await FoldAsync(request)).Error!;
        Assert.Equal((kind, field), (error.Kind, error.Field));
    }

    [Fact]
    public async Task Tokens_beyond_the_vocabulary_are_refused()
    {
        var request = new InferenceRequest { Id = RequestId.New(), Model = "r1-nano", Prompt = new Prompt.Tokens([20, 99_999]) };
        Assert.Equal("prompt[1]", (await FoldAsync(request)).Error!.Field);
        Assert.Equal("prompt", (await FoldAsync(request with { Prompt = new Prompt.Tokens([]) })).Error!.Field);
        Assert.Equal("logit_bias",
            (await FoldAsync(Ask("Hi", 5) with { Sampling = new() { LogitBias = new Dictionary<int, float> { [99_999] = 1 } } })).Error!.Field);
    }

    [Fact]
    public async Task The_context_is_the_last_limit()
    {
        var request = new InferenceRequest
        {
            Id = RequestId.New(), Model = "r1-nano", Prompt = new Prompt.Tokens([.. Enumerable.Repeat(20, 4090)]), IgnoreEndOfSequence = true,
        };
        var answer = await FoldAsync(request);
        Assert.Equal(6, answer.Usage!.CompletionTokens);
        Assert.Equal([FinishReason.Length], answer.Reasons);
    }

    [Fact]
    public async Task Each_of_several_prompts_is_answered_as_if_it_were_alone()
    {
        Prompt[] prompts = [new Prompt.Text("What is 12 + 30?"), new Prompt.Tokens([20, 21, 22]), new Prompt.Text("zebra")];
        var one = Nonsense(12) with { Choices = 2, Echo = true, Sampling = Wild(3) };
        List<string> alone = [];
        var tokens = 0;
        foreach (var (index, prompt) in prompts.Index())
        {
            var answer = await FoldAsync(one with { Prompt = prompt, Sampling = Wild(3 + index) });
            alone.AddRange(answer.Text.Values);
            tokens += answer.Usage!.PromptTokens + answer.Usage.CompletionTokens;
        }

        var together = await FoldAsync(one with { Prompt = new Prompt.List(prompts) });
        Assert.Equal(alone, together.Text.Values);
        Assert.StartsWith("What is 12 + 30?", together.Text[0], StringComparison.Ordinal);
        Assert.Equal(6, together.Reasons.Count);
        Assert.Equal(tokens, together.Usage!.PromptTokens + together.Usage.CompletionTokens);
        await ComesToRestAsync();
    }

    [Theory]
    [InlineData(5000, 20, InferenceErrorKind.ContextLengthExceeded, "prompt[1]")]
    [InlineData(2, 99_999, InferenceErrorKind.InvalidRequest, "prompt[1][0]")]
    public async Task One_prompt_that_cannot_run_ends_them_all_and_is_named(int length, int token, InferenceErrorKind kind, string field)
    {
        Prompt.List prompts = new([new Prompt.Text("zebra"), new Prompt.Tokens([.. Enumerable.Repeat(token, length)])]);
        var error = (await FoldAsync(Nonsense(500) with { Prompt = prompts })).Error!;
        Assert.Equal((kind, field), (error.Kind, error.Field));
        await ComesToRestAsync();
    }

    [Fact]
    public async Task The_best_of_several_candidates_are_the_likeliest()
    {
        var all = Nonsense(8) with { Sampling = Wild(5), TopLogprobs = 0, Choices = 6 };
        SortedDictionary<int, (string Text, List<float> Logprobs)> candidates = [];
        await foreach (var inferenceEvent in _inference.RunAsync(all, Cancellation))
        {
            if (inferenceEvent is not InferenceEvent.Delta delta) continue;
            var before = candidates.GetValueOrDefault(delta.Choice, ("", []));
            candidates[delta.Choice] = (before.Item1 + delta.Text, [.. before.Item2, .. delta.Logprobs!.Select(token => token.Logprob)]);
        }

        var best = await FoldAsync(all with { Choices = 2, BestOf = 6, TopLogprobs = null });
        var expected = candidates.Values.OrderByDescending(one => one.Logprobs.Average(logprob => (double)logprob)).Take(2).Select(one => one.Text);
        Assert.Equal(expected, best.Text.Values);
        Assert.Equal(48, best.Usage!.CompletionTokens);
    }

    public ValueTask DisposeAsync() => _inference.DisposeAsync();

    private static LocalInference Open(EngineOptions options) =>
        new([LoadedVariant.OpenAlone(TestModels.Nano, TestModels.Nano.Manifest.Variants[0], new RuntimeOptions { Threads = 2 }, options,
            TimeProvider.System)]);

    private static InferenceRequest Ask(string question, int tokens) => new()
    {
        Id = RequestId.New(), Model = "r1-nano", Prompt = new Prompt.Chat([new ChatMessage(ChatRole.User, question)]), MaxTokens = tokens,
    };

    /// <summary>Far from anything it has learnt, the model is not sure of itself, and a draw is a draw.</summary>
    private static InferenceRequest Nonsense(int tokens) =>
        Ask("", tokens) with { Prompt = new Prompt.Text("zebra & 17 ¿quién? ###"), IgnoreEndOfSequence = true };

    private static SamplingOptions Wild(long seed) => new() { Temperature = 2, TopP = 1, Seed = seed };

    private async Task<Fold> FoldAsync(InferenceRequest request)
    {
        var fold = new Fold();
        await foreach (var inferenceEvent in _inference.RunAsync(request, Cancellation)) fold.Take(inferenceEvent);
        return fold;
    }

    private async Task ComesToRestAsync()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        deadline.CancelAfter(TimeSpan.FromSeconds(20));
        while (_inference.Variants[0].Load is not { Running: 0, Waiting: 0 }) await Task.Delay(5, deadline.Token);
    }

    private sealed class Fold
    {
        public SortedDictionary<int, string> Text { get; } = [];

        public List<FinishReason> Reasons { get; } = [];

        public Usage? Usage { get; private set; }

        public InferenceError? Error { get; private set; }

        public void Take(InferenceEvent inferenceEvent)
        {
            switch (inferenceEvent)
            {
                case InferenceEvent.Delta delta:
                    Text[delta.Choice] = Text.GetValueOrDefault(delta.Choice, "") + delta.Text;
                    break;
                case InferenceEvent.ChoiceFinished choice:
                    Reasons.Add(choice.Reason);
                    break;
                case InferenceEvent.Finished finished:
                    Usage = finished.Usage;
                    break;
                case InferenceEvent.Failed failed:
                    Error = failed.Error;
                    break;
            }
        }
    }
}
