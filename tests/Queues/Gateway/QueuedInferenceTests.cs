using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Storage;
using R1Serverless.Tests.Auth;

namespace R1Serverless.Tests.Queues.Gateway;

public sealed class QueuedInferenceTests
{
    [Fact]
    public void An_answer_streams_through_the_queue_as_it_is_written() => Run(async (world, drain) =>
    {
        drain.Work(drain.Engine());
        List<(TimeSpan At, InferenceEvent Happened)> events = [];
        await foreach (var inferenceEvent in drain.Gate().RunAsync(Request("a", 20), CancellationToken.None)) events.Add((world.Now, inferenceEvent));

        Assert.Equal(ScriptedEngine.Text(20), Text(events.Select(e => e.Happened)));
        Assert.IsType<InferenceEvent.Admitted>(events[0].Happened);
        Assert.Equal(new Usage(3, 20, 2), Assert.IsType<InferenceEvent.Finished>(events[^1].Happened).Usage);
        // Each word a tenth of a second after the one before, and none later than a message may wait.
        TimeSpan[] words = [.. events.Where(e => e.Happened is InferenceEvent.Delta).Select(e => e.At)];
        Assert.Equal(20, words.Length);
        for (var i = 0; i < 20; i++)
            Assert.InRange(words[i] - words[0] - (i * ScriptedEngine.WordTime), -TimeSpan.FromMilliseconds(40), TimeSpan.FromMilliseconds(40));
    });

    [Fact]
    public void Streams_to_one_gateway_share_its_messages() => Run(async (world, drain) =>
    {
        drain.Work(drain.Engine(slots: 64));
        var gateway = drain.Gate();
        var texts = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i => Text(await AllAsync(gateway, Request($"r{i}", 30)))));

        Assert.All(texts, text => Assert.Equal(ScriptedEngine.Text(30), text));
        Assert.Equal(0, gateway.Awaited);
        // 40 streams of 33 events for 3 seconds, at most one message each 30 ms but for first words and ends.
        Assert.InRange(drain.Broker.Messages.Count, 30, 200);
        Assert.True(drain.Broker.Messages.Max(replies => replies.Count) >= 30);
    });

    [Fact]
    public void When_a_worker_dies_another_goes_on_and_no_text_comes_twice() => Run(async (world, drain) =>
    {
        ScriptedEngine mortal = drain.Engine(), second = drain.Engine();
        mortal.HangsBefore = 7;
        var cut = drain.Connect();
        drain.Work(mortal, cut);
        var answer = AllAsync(drain.Gate(), Request("a", 12));
        await world.UntilAsync(() => mortal.Started.Count == 1);
        await world.PassAsync(2);
        cut.IsCut = true;
        drain.Work(second);
        var events = await answer;

        Assert.Equal(ScriptedEngine.Text(12), Text(events));
        Assert.Single(events.OfType<InferenceEvent.Admitted>());
        Assert.Single(events.OfType<InferenceEvent.ChoiceFinished>());
        Assert.IsType<InferenceEvent.Finished>(events[^1]);
        Assert.Single(second.Started);
        Assert.NotNull(mortal.Started[0].Sampling.Seed);
        Assert.Equal(mortal.Started[0].Sampling.Seed, second.Started[0].Sampling.Seed);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(31), TimeSpan.FromSeconds(36));
    });

    [Fact]
    public void An_answer_begun_anew_that_differs_ends_with_an_error_not_with_a_mixture() => Run(async (world, drain) =>
    {
        ScriptedEngine mortal = drain.Engine(), second = drain.Engine();
        mortal.HangsBefore = 7;
        second.Word = (_, i) => i < 4 ? $"w{i} " : $"v{i} ";
        var cut = drain.Connect();
        drain.Work(mortal, cut);
        var answer = AllAsync(drain.Gate(), Request("a", 12));
        await world.PassAsync(2);
        cut.IsCut = true;
        drain.Work(second);
        var events = await answer;

        Assert.Equal(ScriptedEngine.Text(7), Text(events));
        Assert.Equal(InferenceErrorKind.Internal, Assert.IsType<InferenceEvent.Failed>(events[^1]).Error.Kind);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(11)]
    public void What_a_lost_message_held_comes_from_the_result(int lost) => Run(async (world, drain) =>
    {
        var seen = 0;
        drain.Broker.LosesReply = _ => seen++ == lost;
        drain.Work(drain.Engine());
        var events = await AllAsync(drain.Gate(), Request("a", 12));

        Assert.Equal(ScriptedEngine.Text(12), Text(events));
        Assert.IsType<InferenceEvent.Finished>(events[^1]);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(1.2), TimeSpan.FromSeconds(2.5));
    });

    [Fact]
    public void When_all_replies_are_lost_the_answer_is_a_second_late() => Run(async (world, drain) =>
    {
        drain.Broker.LosesReply = _ => true;
        drain.Work(drain.Engine());
        var events = await AllAsync(drain.Gate(), Request("a", 12));
        Assert.Equal(ScriptedEngine.Text(12), Text(events));
        Assert.InRange(world.Now, TimeSpan.FromSeconds(1.2), TimeSpan.FromSeconds(2.5));
    });

    [Fact]
    public void A_broker_that_is_away_for_ten_seconds_delays_an_answer_and_breaks_nothing() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Work(engine);
        var answer = AllAsync(drain.Gate(), Request("a", 60));
        await world.PassAsync(3);
        drain.Broker.IsDown = true;
        await world.PassAsync(10);
        drain.Broker.IsDown = false;

        Assert.Equal(ScriptedEngine.Text(60), Text(await answer));
        Assert.Single(engine.Started);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(13), TimeSpan.FromSeconds(20));
    });

    [Fact]
    public void A_request_that_cannot_be_enqueued_says_so() => Run(async (world, drain) =>
    {
        drain.Broker.IsDown = true;
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await AllAsync(drain.Gate(), Request("a", 1))));
        Assert.Equal((InferenceErrorKind.Unavailable, TimeSpan.FromSeconds(1)), (failed.Error.Kind, failed.Error.RetryAfter));
        // It may have been enqueued all the same: nobody would read its answer.
        drain.Broker.IsDown = false;
        Assert.Equal(RequestOutcome.Cancelled, (await drain.ResultsAsync("a")).Single().Outcome);
    });

    [Fact]
    public void A_client_that_goes_stops_the_worker_within_two_seconds() => Run(async (world, drain) =>
    {
        var engine = drain.Engine();
        drain.Work(engine);
        var gateway = drain.Gate();
        using CancellationTokenSource gone = new(TimeSpan.FromSeconds(3), world.Clock);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in gateway.RunAsync(Request("a", 1000), gone.Token))
            {
            }
        });
        await world.UntilAsync(() => engine.Stopped.Count == 1);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(5));
        Assert.Equal(RequestOutcome.Cancelled, (await drain.ResultsAsync("a")).Single().Outcome);
        await world.UntilAsync(() => drain.Broker.Left == 0);
        await gateway.DisposeAsync();
    });

    [Fact]
    public void A_gateway_that_stops_leaves_the_requests_of_its_clients_running() => Run(async (world, drain) =>
    {
        drain.Work(drain.Engine());
        var gateway = drain.Gate();
        await foreach (var inferenceEvent in gateway.RunAsync(Request("a", 50), CancellationToken.None))
        {
            gateway.LeaveRunning();
            break;
        }

        Assert.Equal(ScriptedEngine.Text(50), Text(await AllAsync(drain.Gate(), new RequestId("a"))));
    });

    [Fact]
    public void A_request_taken_back_ends_at_once_for_its_client() => Run(async (world, drain) =>
    {
        drain.Work(drain.Engine());
        var gateway = drain.Gate();
        var answer = AllAsync(gateway, Request("a", 1000));
        await world.PassAsync(3);
        Assert.True(await gateway.CancelAsync(new RequestId("a"), CancellationToken.None));
        Assert.False(await gateway.CancelAsync(new RequestId("a"), CancellationToken.None));
        Assert.Equal(InferenceErrorKind.Cancelled, Assert.IsType<InferenceEvent.Failed>((await answer)[^1]).Error.Kind);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4.1));
    });

    [Fact]
    public void A_request_that_nobody_starts_expires_at_its_deadline() => Run(async (world, drain) =>
    {
        var events = await AllAsync(drain.Gate(), Request("a", 5) with { Deadline = TimeSpan.FromSeconds(20) });
        Assert.Equal(InferenceErrorKind.DeadlineExceeded, Assert.IsType<InferenceEvent.Failed>(Assert.Single(events)).Error.Kind);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(23.1));
        Assert.Equal(RequestOutcome.Expired, (await drain.ResultsAsync("a")).Single().Outcome);
        Assert.InRange(drain.Broker.Store.Looks, 18, 26);
    });

    [Fact]
    public void What_was_submitted_can_be_followed_to_its_end() => Run(async (world, drain) =>
    {
        var gateway = drain.Gate();
        await gateway.SubmitAsync(Request("a", 20), WorkClass.Bulk, "b1", CancellationToken.None);
        var followed = AllAsync(gateway, new RequestId("a"));
        await world.PassAsync(5);
        drain.Work(drain.Engine());
        Assert.Equal(ScriptedEngine.Text(20), Text(await followed));
        Assert.InRange(world.Now, TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(8.2));
        Assert.Empty(drain.Broker.Messages);
    });

    [Fact]
    public void An_id_that_is_awaited_already_is_refused() => Run(async (world, drain) =>
    {
        var gateway = drain.Gate();
        drain.Work(drain.Engine());
        var first = AllAsync(gateway, Request("a", 5));
        Assert.Equal(InferenceErrorKind.InvalidRequest,
            Assert.IsType<InferenceEvent.Failed>(Assert.Single(await AllAsync(gateway, Request("a", 5)))).Error.Kind);
        Assert.Equal(ScriptedEngine.Text(5), Text(await first));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_gateway_that_closes_has_nothing_to_do_with_its_transport_afterwards(bool isCutBefore) => Run(async (world, drain) =>
    {
        CapturedLog<QueuedInference> log = new();
        var transport = drain.Connect();
        QueuedInference gateway = new(transport, world.Clock, log);
        using CancellationTokenSource cut = new();
        var stream = AllAsync(gateway.RunAsync(Request("a", 50), cut.Token));
        await world.PassAsync(1);
        // Cut off before, the request is being taken back, which does not come through; cut off afterwards, it runs on.
        drain.Broker.IsDown = true;
        if (isCutBefore) cut.Cancel();
        await gateway.DisposeAsync();
        Assert.InRange(world.Now, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(7));
        var before = log.Messages.Count;
        cut.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream);
        await world.PassAsync(60);
        Assert.Equal(before, log.Messages.Count);
        drain.Broker.IsDown = false;
        Assert.False(await drain.Results.ExistsAsync(new RequestId("a"), CancellationToken.None));
    });

    [Fact]
    public void A_fault_in_sending_replies_costs_those_replies_and_no_later_ones() => Run(async (world, drain) =>
    {
        var breaks = true;
        drain.Broker.LosesReply = _ => breaks ? throw new InvalidOperationException("it broke") : false;
        drain.Work(drain.Engine());
        var gateway = drain.Gate();
        Assert.Equal(ScriptedEngine.Text(5), Text(await AllAsync(gateway, Request("a", 5))));
        breaks = false;
        drain.Broker.Messages.Clear();
        Assert.Equal(ScriptedEngine.Text(5), Text(await AllAsync(gateway, Request("b", 5))));
        Assert.NotEmpty(drain.Broker.Messages);
    });

    [Fact]
    public void A_request_that_can_not_be_taken_back_is_told_and_keeps_nothing_open() => Run(async (world, drain) =>
    {
        CapturedLog<QueuedInference> log = new();
        QueuedInference gateway = new(drain.Connect(), world.Clock, log);
        using CancellationTokenSource cut = new();
        var stream = AllAsync(gateway.RunAsync(Request("a", 50), cut.Token));
        await world.PassAsync(0.1);
        await drain.Broker.Store.PutAsync(ResultStore.Name(new RequestId("a")), "{"u8.ToArray(), PutCondition.Always, CancellationToken.None);
        cut.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream);
        await gateway.DisposeAsync();
        Assert.Single(log.Messages, message => message.Contains(nameof(MalformedMessageException), StringComparison.Ordinal));
    });

    private static InferenceRequest Request(string id, int words) => DrainWorld.Request(id, words).Request;

    private static string Text(IEnumerable<InferenceEvent> events) =>
        string.Concat(events.OfType<InferenceEvent.Delta>().Select(delta => delta.Text));

    private static Task<List<InferenceEvent>> AllAsync(QueuedInference gateway, InferenceRequest request) =>
        AllAsync(gateway.RunAsync(request, CancellationToken.None));

    private static Task<List<InferenceEvent>> AllAsync(QueuedInference gateway, RequestId id) =>
        AllAsync(gateway.FollowAsync(Request(id.Value, 0), CancellationToken.None));

    private static async Task<List<InferenceEvent>> AllAsync(IAsyncEnumerable<InferenceEvent> events)
    {
        List<InferenceEvent> all = [];
        await foreach (var inferenceEvent in events) all.Add(inferenceEvent);
        return all;
    }

    private static void Run(Func<VirtualTime, DrainWorld, Task> test) => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        await test(world, drain);
        await drain.EndAsync();
    });
}
