using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>Gateway and workers over the embedded transport, each with a connection of its own, as processes have.</summary>
public sealed class EmbeddedDrainTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-drain-").FullName;
    private readonly List<Transport> _transports = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running);
        foreach (var transport in _transports) await transport.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
        _stop.Dispose();
    }

    [Fact]
    public async Task Forty_answers_stream_through_two_workers()
    {
        WordEngine first = new(), second = new();
        await WorkAsync(first);
        await WorkAsync(second);
        var gateway = await GateAsync();
        var texts =
            await Task.WhenAll(Enumerable.Range(0, 40).Select(i => TextAsync(gateway, Request($"r{i}", 30)))).WaitAsync(Patience, Cancelled);
        Assert.All(texts, text => Assert.Equal(WordEngine.Text(30), text));
        Assert.Equal(40, first.Started.Count + second.Started.Count);
    }

    [Fact]
    public async Task A_backlog_of_bulk_work_ends_with_one_result_each()
    {
        const int Count = 150;
        var producer = await ConnectAsync();
        QueuedRequest[] backlog =
            [.. Enumerable.Range(0, Count).Select(i => new QueuedRequest { Request = Request($"b-{i}", 3), Class = WorkClass.Bulk, Batch = "b" })];
        await producer.Queue.EnqueueAsync(backlog, Cancelled);
        // Each line once more, as a producer does that is not sure: the result of the first stays, and the second is not run.
        await producer.Queue.EnqueueAsync(backlog, Cancelled);
        WordEngine first = new(), second = new();
        await WorkAsync(first);
        await WorkAsync(second);
        var left = await producer.Queue.StatisticsAsync(WorkClass.Bulk, Cancelled);
        await Eventually.HoldsAsync(
            async () =>
            {
                left = await producer.Queue.StatisticsAsync(WorkClass.Bulk, Cancelled);
                return left.Waiting + left.Leased == 0;
            },
            () => $"the end of the backlog; {left}");

        HashSet<RequestId> ended = [];
        await foreach (var id in new ResultStore(producer.Store).ListAsync("b", Cancelled)) Assert.True(ended.Add(id));
        Assert.Equal(Count, ended.Count);
        Assert.Equal(0, left.DeadLetters);
        Assert.InRange(first.Started.Count + second.Started.Count, Count, 2 * Count);
    }

    [Fact]
    public async Task When_a_worker_dies_another_goes_on_where_it_was()
    {
        var gateway = await GateAsync();
        var mortal = await ConnectAsync(lease: TimeSpan.FromSeconds(3));
        var answer = TextAsync(gateway, Request("a", 20));
        var lease = Assert.Single(await mortal.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Cancelled));
        InferenceEvent[] begun = [.. Enumerable.Range(0, 7).Select(i => new InferenceEvent.Delta(0, DeltaKind.Answer, $"w{i} "))];
        await mortal.Replies.SendAsync(lease.Message.ReplyTo!, [new Reply(new RequestId("a"), lease.DequeueCount, 0, begun)], Cancelled);

        // It is never heard of again.
        WordEngine second = new();
        await WorkAsync(second);
        Assert.Equal(WordEngine.Text(20), await answer.WaitAsync(Patience, Cancelled));
        Assert.False(await lease.CompleteAsync(Cancelled));
        Assert.Equal(lease.Message.Request.Sampling.Seed, Assert.Single(second.Started).Sampling.Seed);
    }

    [Fact]
    public async Task A_request_taken_back_stops_its_worker()
    {
        WordEngine engine = new() { Holds = true };
        await WorkAsync(engine);
        var gateway = await GateAsync();
        var answer = TextAsync(gateway, Request("a", 20));
        await engine.Began.Task.WaitAsync(Patience, Cancelled);
        var other = await GateAsync();
        Assert.True(await other.CancelAsync(new RequestId("a"), Cancelled));
        await engine.Ended.Task.WaitAsync(Patience, Cancelled);
        Assert.Equal("Cancelled", await answer.WaitAsync(Patience, Cancelled));
    }

    [Fact]
    public async Task A_worker_that_stops_hands_back_what_another_finishes()
    {
        WordEngine slow = new() { Holds = true };
        using CancellationTokenSource stop = new();
        var stopped = await WorkAsync(slow, stop.Token, grace: TimeSpan.Zero);
        var gateway = await GateAsync();
        var answer = TextAsync(gateway, Request("a", 9));
        await slow.Began.Task.WaitAsync(Patience, Cancelled);
        await stop.CancelAsync();
        await stopped.WaitAsync(Patience, Cancelled);
        WordEngine second = new();
        await WorkAsync(second);
        Assert.Equal(WordEngine.Text(9), await answer.WaitAsync(Patience, Cancelled));
        Assert.Single(second.Started);
    }

    private static InferenceRequest Request(string id, int words) => DrainWorld.Request(id, words).Request;

    /// <summary>The answer's text; of one that failed, what it failed with.</summary>
    private static async Task<string> TextAsync(QueuedInference gateway, InferenceRequest request)
    {
        var text = "";
        await foreach (var inferenceEvent in gateway.RunAsync(request, Cancelled))
        {
            if (inferenceEvent is InferenceEvent.Delta delta) text += delta.Text;
            if (inferenceEvent is InferenceEvent.Failed failed) return failed.Error.Kind.ToString();
        }

        return text;
    }

    /// <param name="lease">Short where its end is to come; the usual ones last whatever else the machine does.</param>
    private async Task<Transport> ConnectAsync(TimeSpan? lease = null)
    {
        EmbeddedOptions options = new();
        EmbeddedTransport transport = new(_folder, TimeProvider.System, options with { LeaseTime = lease ?? options.LeaseTime });
        _transports.Add(transport);
        await transport.OpenAsync(Cancelled);
        return transport;
    }

    private async Task<QueuedInference> GateAsync()
    {
        QueuedInference gateway = new(await ConnectAsync(), TimeProvider.System, NullLogger.Instance);
        _running.Add(gateway.ReceiveAsync(_stop.Token));
        return gateway;
    }

    /// <summary>Starts a worker; its end is the inner task.</summary>
    private async Task<Task> WorkAsync(WordEngine engine, CancellationToken stop = default, TimeSpan? grace = null)
    {
        QueueWorkerOptions options = new() { Grace = grace ?? TimeSpan.FromSeconds(1) };
        QueueWorker worker = new(
            await ConnectAsync(), engine, LeaseExtensions.Served, () => default, options, TimeProvider.System, NullLogger.Instance);
        var running = worker.RunAsync(stop.CanBeCanceled ? stop : _stop.Token);
        _running.Add(running);
        return running;
    }

    /// <summary>Writes words as fast as they are taken; or holds its first word until it is stopped.</summary>
    private sealed class WordEngine : IInference
    {
        public bool Holds { get; init; }

        public ConcurrentQueue<InferenceRequest> Started { get; } = new();

        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public static string Text(int words) => ScriptedEngine.Text(words);

        public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Started.Enqueue(request);
            try
            {
                yield return new InferenceEvent.Admitted(3, new VariantChoice(Precision.Fp32, "the only one"));
                Began.TrySetResult();
                if (Holds) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
                var words = int.Parse(((Prompt.Text)request.Prompt).Value);
                for (var i = 0; i < words; i++)
                {
                    await Task.Yield();
                    yield return new InferenceEvent.Delta(0, DeltaKind.Answer, $"w{i} ");
                }

                yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Stop);
                yield return new InferenceEvent.Finished(new Usage(3, words, 0));
            }
            finally
            {
                Ended.TrySetResult();
            }
        }
    }
}
