using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues;

namespace R1Serverless.Tests.Hosting;

/// <summary>Calls with a client's key at several gateways, in virtual time.</summary>
public sealed class DurableRequestTests
{
    private const int Words = 5;

    [Theory]
    [InlineData("k")]
    [InlineData(null)]
    public void What_waits_for_its_turn_is_taken_in_at_once_and_told_to_come_again_where_no_worker_comes(string? key) => Run(async (world, drain) =>
    {
        await using Gateway gateway = new(world, drain);
        gateway.Fill();
        var answer = await gateway.EnterAsync(Call(deadline: 3), key);
        Assert.Equal(TimeSpan.Zero, world.Now);
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await AllAsync(answer)));
        Assert.Equal(InferenceErrorKind.Unavailable, failed.Error.Kind);
        Assert.NotNull(failed.Error.RetryAfter);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(3.1));
        Assert.Equal(RequestAdmission.Places, drain.Broker.Enqueued);
    });

    [Fact]
    public void A_call_whose_request_waits_for_its_turn_elsewhere_waits_with_it() => Run(async (world, drain) =>
    {
        await using Gateway busy = new(world, drain), other = new(world, drain);
        busy.Fill();
        var first = await busy.EnterAsync(Call(), "k");
        var told = AllAsync(first);
        await world.PassAsync(2);
        var second = await other.EnterAsync(Call(), "k");
        var toldAgain = AllAsync(second);
        Assert.Equal((first.Call.Request.Id, first.Head, true), (second.Call.Request.Id, second.Head, second.IsReplayed));
        await world.PassAsync(20);
        Assert.Equal(RequestAdmission.Places, drain.Broker.Enqueued);

        drain.Work(drain.Engine(slots: 64));
        Assert.Equal(ScriptedEngine.Text(Words), Text(await told));
        Assert.Equal(ScriptedEngine.Text(Words), Text(await toldAgain));
        Assert.Equal(RequestAdmission.Places + 1, drain.Broker.Enqueued);
        Assert.Equal((false, true), (first.IsFree!(), second.IsFree!()));
    });

    [Fact]
    public void A_request_whose_client_hangs_up_in_the_line_is_begun_at_once_by_another_call() => Run(async (world, drain) =>
    {
        await using Gateway busy = new(world, drain), other = new(world, drain);
        busy.Fill();
        using CancellationTokenSource gone = new();
        var cut = AllAsync(await busy.EnterAsync(Call(), "k"), gone.Token);
        var second = await other.EnterAsync(Call(), "k");
        var told = AllAsync(second);
        await world.PassAsync(0.3);
        Assert.Equal(RequestAdmission.Places, drain.Broker.Enqueued);
        gone.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cut);
        await world.UntilAsync(() => drain.Broker.Enqueued > RequestAdmission.Places);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(0.3), TimeSpan.FromSeconds(0.5));
        drain.Work(drain.Engine(slots: 64));
        Assert.Equal(ScriptedEngine.Text(Words), Text(await told));
        Assert.False(second.IsFree!());
    });

    [Fact]
    public void A_client_that_comes_back_has_its_request_taken_from_one_that_waits_for_its_turn() => Run(async (world, drain) =>
    {
        await using Gateway busy = new(world, drain), other = new(world, drain);
        busy.Fill();
        var first = await busy.EnterAsync(Call(), "k");
        var told = AllAsync(first);
        var deferred = await other.SubmitAsync(Call(), "k");
        Assert.Equal(first.Call.Request.Id.Value, deferred.Answer.Id);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(6));
        await world.PassAsync(3);
        drain.Work(drain.Engine(slots: 64));
        Assert.Equal(ScriptedEngine.Text(Words), Text(await told));
        Assert.Equal(RequestAdmission.Places + 1, drain.Broker.Enqueued);
    });

    [Fact]
    public void A_request_to_come_back_for_that_may_be_in_the_queue_is_the_same_when_its_key_comes_again() => Run(async (world, drain) =>
    {
        await using Gateway gateway = new(world, drain);
        var call = Call();
        gateway.Transport.AfterEnqueue = _ => throw new TransportException("the answer is lost");
        await Assert.ThrowsAsync<TransportException>(async () => await gateway.SubmitAsync(call, "k"));
        gateway.Transport.AfterEnqueue = _ => Task.CompletedTask;
        Assert.Equal(call.Request.Id.Value, (await gateway.SubmitAsync(Call(), "k")).Answer.Id);
        Assert.Equal(TimeSpan.Zero, world.Now);

        var engine = drain.Engine();
        drain.Work(engine);
        await world.UntilAsync(() => drain.Broker.Left == 0);
        Assert.Equal(call.Request.Id, Assert.Single(engine.Started.Select(one => one.Id).Distinct()));
        Assert.Equal(RequestOutcome.Finished, Assert.Single(await drain.ResultsAsync(call.Request.Id.Value)).Outcome);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_request_waited_for_that_may_be_in_the_queue_is_the_same_when_its_key_comes_again(bool isHungUp) => Run(async (world, drain) =>
    {
        await using Gateway gateway = new(world, drain);
        using CancellationTokenSource gone = new();
        gateway.Transport.AfterEnqueue = isHungUp ? stop => Task.Delay(Timeout.InfiniteTimeSpan, world.Clock, stop)
            : _ => throw new TransportException("the answer is lost");
        var first = await gateway.EnterAsync(Call(), "k");
        var failed = AllAsync(first, gone.Token);
        gone.Cancel();
        if (isHungUp) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => failed);
        else Assert.Equal(InferenceErrorKind.Unavailable, Assert.IsType<InferenceEvent.Failed>(Assert.Single(await failed)).Error.Kind);

        gateway.Transport.AfterEnqueue = _ => Task.CompletedTask;
        var second = await gateway.EnterAsync(Call(), "k");
        Assert.Equal((first.Call.Request.Id, false), (second.Call.Request.Id, second.IsReplayed));
        var told = AllAsync(second);
        // As long as what is taken back would take.
        await world.PassAsync(1);
        drain.Work(drain.Engine());
        Assert.Equal(ScriptedEngine.Text(Words), Text(await told));
        Assert.Empty(await drain.Marks.ListAsync(CancellationToken.None));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_taken_over_from_a_call_that_stalled_outlives_its_failure(bool isOneGateway) => Run(async (world, drain) =>
    {
        await using Gateway stalling = new(world, drain), other = new(world, drain);
        TaskCompletionSource goesOn = new();
        var calls = 0;
        stalling.Transport.BeforeEnqueue = async _ =>
        {
            if (calls++ > 0) return;
            await goesOn.Task;
            throw new TransportException("too late");
        };
        var failed = AllAsync(await stalling.EnterAsync(Call(), "k"));
        var next = isOneGateway ? stalling : other;
        var told = AllAsync(await next.EnterAsync(Call(), "k"));
        await world.UntilAsync(() => drain.Broker.Enqueued == 1);
        goesOn.SetResult();
        Assert.Equal(InferenceErrorKind.Unavailable, Assert.IsType<InferenceEvent.Failed>(Assert.Single(await failed)).Error.Kind);
        await world.PassAsync(1);

        drain.Work(drain.Engine());
        Assert.Equal(ScriptedEngine.Text(Words), Text(await told));
        Assert.Equal(ScriptedEngine.Text(Words), Text(await AllAsync(await stalling.EnterAsync(Call(), "k"))));
        Assert.Equal(1, drain.Broker.Enqueued);
        Assert.Empty(await drain.Marks.ListAsync(CancellationToken.None));
    });

    [Fact]
    public void A_call_with_a_key_again_ends_at_its_deadline_where_nobody_else_is_left_to_end_it() => Run(async (world, drain) =>
    {
        await using Gateway gateway = new(world, drain);
        var id = (await gateway.SubmitAsync(Call(), "k")).Answer.Id;
        var again = await gateway.EnterAsync(Call(deadline: 3), "k");
        var failed = Assert.IsType<InferenceEvent.Failed>(Assert.Single(await AllAsync(again)));
        Assert.Equal(InferenceErrorKind.Unavailable, failed.Error.Kind);
        Assert.NotNull(failed.Error.RetryAfter);
        Assert.InRange(world.Now, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4));
        Assert.Equal(RequestOutcome.Expired, Assert.Single(await drain.ResultsAsync(id)).Outcome);
    });

    private static CompletionCall Call(double? deadline = null) => new(
        CompletionApi.Chat,
        new InferenceRequest
        {
            Id = RequestId.New(), Model = "m", Prompt = new Prompt.Text(Words.ToString()),
            Deadline = deadline is { } seconds ? TimeSpan.FromSeconds(seconds) : null
        },
        Stream: false, IncludeUsage: false);

    private static string Text(IEnumerable<InferenceEvent> events) =>
        string.Concat(events.OfType<InferenceEvent.Delta>().Select(delta => delta.Text));

    private static async Task<List<InferenceEvent>> AllAsync(DispatchResult.Answering answer, CancellationToken stop = default)
    {
        using var pass = answer.Pass;
        List<InferenceEvent> all = [];
        await foreach (var inferenceEvent in answer.Run(stop)) all.Add(inferenceEvent);
        return all;
    }

    private static void Run(Func<VirtualTime, DrainWorld, Task> test) => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        await test(world, drain);
        await drain.EndAsync();
    });

    private sealed class Gateway : IAsyncDisposable
    {
        private readonly CancellationTokenSource _ending = new();
        private readonly List<Task> _filling = [];
        private readonly TransportRuntime _queue;
        private readonly DurableRequests _requests;

        public Gateway(VirtualTime world, DrainWorld drain)
        {
            ServeOptions options = new() { Role = ServeRole.Gateway, ApiKeys = ["one", "two"], MaxQueuedPerKey = int.MaxValue };
            Transport = drain.Connect();
            _queue = new TransportRuntime(Transport, isGateway: true, isWorker: false, _ => null, world.Clock, NullLoggerFactory.Instance);
            QueueConnection closed = new(options, world.Clock, NullLoggerFactory.Instance, NullLogger<QueueConnection>.Instance);
            CallerLimits limits = new(options, new ActiveKeys(options.ApiKeys, hasSource: false));
            _requests = new DurableRequests(_queue, new OwnerQuotaCheck(closed, limits, world.Clock),
                new RequestAdmission(options, closed, limits, world.Clock), world.Clock);
        }

        public FakeTransport Transport { get; }

        /// <summary>Lets in as many as there are places.</summary>
        public void Fill()
        {
            for (var i = 0; i < RequestAdmission.Places; i++)
                _filling.Add(AllAsync(Assert.IsType<DispatchResult.Answering>(_requests.Run(Call())), _ending.Token));
        }

        public async Task<DispatchResult.Answering> EnterAsync(CompletionCall call, string? key) =>
            Assert.IsType<DispatchResult.Answering>(await _requests.RunAsync(call, key, "hash", CancellationToken.None));

        public async Task<DispatchResult.Deferred> SubmitAsync(CompletionCall call, string key) =>
            Assert.IsType<DispatchResult.Deferred>(
                await _requests.SubmitAsync(call, new CallTerms(IsAsync: true, key, "hash"), CancellationToken.None));

        public async ValueTask DisposeAsync()
        {
            _ending.Cancel();
            foreach (var one in _filling) await one.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _queue.DisposeAsync();
            _ending.Dispose();
        }
    }
}
