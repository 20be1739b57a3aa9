using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Tests.Queues.Gateway;

public sealed class ReplayDeduplicatorTests
{
    private static readonly RequestId Id = new("a");

    private static readonly InferenceEvent[] Answer =
    [
        new InferenceEvent.Admitted(3, new VariantChoice(Precision.Int8, "named")),
        Delta(0, DeltaKind.Reasoning, "think", 2), Delta(1, DeltaKind.Answer, "one ", 1), Delta(0, DeltaKind.Answer, "4", 1),
            Delta(0, DeltaKind.Answer, "2 🙂", 2),
        Delta(1, DeltaKind.Answer, "two", 1), new InferenceEvent.ChoiceFinished(1, FinishReason.Length, UnopenedReasoning: 4),
            new InferenceEvent.ChoiceFinished(0, FinishReason.Stop),
        new InferenceEvent.Finished(new Usage(3, 7, 2)),
    ];

    /// <summary>Whatever is lost, comes twice, or begins anew: the client gets each character, probability and end once, in order.</summary>
    [Fact]
    public void Whatever_happens_on_the_way_the_client_gets_the_answer_once() =>
        Gen.Select(Gen.Int[0, 9].Array[0, 3], Gen.Int[1, 4].Array[1, 9], Gen.Int[0, 30], Gen.Int[0, 30]).Sample((cuts, sizes, lost, twice) =>
        {
            ReplayDeduplicator assembly = new();
            List<InferenceEvent> given = [];
            int number = 0, delivery = 1;
            foreach (var cut in cuts.Append(Answer.Length))
            {
                var at = 0;
                for (var piece = 0; at < cut; piece++)
                {
                    var size = Math.Min(sizes[piece % sizes.Length], cut - at);
                    Reply reply = new(Id, delivery, at, Answer[at..(at + size)]);
                    if (number != lost) assembly.Take(reply, given);
                    if (number == twice) assembly.Take(reply, given);
                    number++;
                    at += size;
                }

                delivery++;
            }

            if (!assembly.IsEnded) assembly.Take(Result(), given);
            Assert.True(assembly.IsEnded);
            Assert.Equivalent(Result(), Fold(given), strict: true);
            Assert.Equal(given.Count, given.Distinct().Count());
        });

    /// <summary>A message enqueued twice is delivered for the first time twice, and each run cuts the text in its own way.</summary>
    [Fact]
    public void Two_runs_of_one_number_are_not_mixed()
    {
        ReplayDeduplicator assembly = new();
        List<InferenceEvent> given = [];
        InferenceEvent.Delta Text(string text) => Delta(0, DeltaKind.Answer, text, 0);
        assembly.Take(new Reply(Id, 1, 0, [Answer[0], Text("one two ")]) { Run = 1 }, given);
        assembly.Take(new Reply(Id, 1, 0, [Answer[0], Text("one ")]) { Run = 2 }, given);
        assembly.Take(new Reply(Id, 1, 2, [Text("two ")]) { Run = 2 }, given);
        Assert.Equal("one two ", string.Concat(given.OfType<InferenceEvent.Delta>().Select(delta => delta.Text)));
        Assert.False(assembly.NeedsResult);
        assembly.Take(new Reply(Id, 1, 3, [Answer[^1]]) { Run = 2 }, given);
        Assert.True(assembly.NeedsResult);
        Assert.False(assembly.IsEnded);
    }

    [Fact]
    public void A_result_is_told_as_it_happened() => Assert.Equivalent(Result(), Fold(ResultEvents.Of(Result())), strict: true);

    [Theory]
    [InlineData(DeltaKind.Answer, "think")]
    [InlineData(DeltaKind.Reasoning, "thing")]
    [InlineData(DeltaKind.Reasoning, "th")]
    public void A_telling_that_differs_ends_the_stream(DeltaKind kind, string text)
    {
        ReplayDeduplicator assembly = new();
        List<InferenceEvent> given = [];
        assembly.Take(new Reply(Id, 1, 0, Answer[..2]), given);
        given.Clear();
        assembly.Take(new Reply(Id, 2, 0, [Answer[0], Delta(0, kind, text, 1), new InferenceEvent.ChoiceFinished(0, FinishReason.Stop), Answer[^1]]),
            given);
        Assert.Equal(InferenceErrorKind.Internal, Assert.IsType<InferenceEvent.Failed>(Assert.Single(given)).Error.Kind);
        Assert.True(assembly.IsEnded);
    }

    [Fact]
    public void A_request_that_was_cancelled_may_end_with_less_than_was_given()
    {
        ReplayDeduplicator assembly = new();
        List<InferenceEvent> given = [];
        assembly.Take(new Reply(Id, 1, 0, Answer[..3]), given);
        given.Clear();
        assembly.Take(new InferenceResult { Id = Id, Outcome = RequestOutcome.Cancelled, Error = DeliveryRules.Cancelled }, given);
        Assert.Equal([new InferenceEvent.Failed(DeliveryRules.Cancelled)], given);
    }

    [Fact]
    public void A_worker_that_was_overtaken_is_not_heard()
    {
        ReplayDeduplicator assembly = new();
        List<InferenceEvent> given = [];
        assembly.Take(new Reply(Id, 2, 0, Answer[..2]), given);
        assembly.Take(new Reply(Id, 1, 2, Answer[2..]), given);
        Assert.Equal("think", Assert.IsType<InferenceEvent.Delta>(given[^1]).Text);
        Assert.Equal(2, given.Count);
    }

    private static InferenceResult Result() => Fold(Answer);

    private static InferenceResult Fold(IEnumerable<InferenceEvent> events)
    {
        ResultFold fold = new(Id);
        foreach (var inferenceEvent in events) fold.Add(inferenceEvent);
        return fold.Result();
    }

    private static InferenceEvent.Delta Delta(int choice, DeltaKind kind, string text, int tokens) =>
        new(choice, kind, text, [.. Enumerable.Range(0, tokens).Select(i => new TokenLogprob($"{text}{i}", [1], -0.5f, []))]);
}
