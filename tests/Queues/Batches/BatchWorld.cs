using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Tests.Queues.Batches;

/// <summary>A store, a queue and a clock, processes that drive batches, and the test as the workers.</summary>
internal sealed class BatchWorld : IAsyncDisposable
{
    public const string Owner = "owner", Chat = "/v1/chat/completions";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<(CancellationTokenSource Stop, PausableStore Store, Task Run)> _drivers = [];

    public BatchWorld()
    {
        Store = new MemoryStore(Time);
        Jobs = new BatchJobs(Store, Time);
        Files = new FileStore(Store, Time);
        Results = new ResultStore(Store);
    }

    public WatchedTime Time { get; } = new(new DateTimeOffset(2026, 11, 24, 0, 0, 0, TimeSpan.Zero));

    public MemoryStore Store { get; }

    public BatchJobs Jobs { get; }

    public FileStore Files { get; }

    public ResultStore Results { get; }

    public BatchLimits Limits { get; init; } = new() { SegmentLines = 32, Outstanding = 64, Span = 128 };

    public ConcurrentQueue<QueuedRequest> Queue { get; } = new();

    public static string Line(string customId, string content = "hi", string more = "") =>
        $$$"""{"custom_id":"{{{customId}}}","method":"POST","url":"{{{Chat}}}","body":{"model":"m","messages":[{"role":"user","content":"{{{content}}}"}]{{{more}}}}}""";

    public static string[] Lines(int count) => [.. Enumerable.Range(0, count).Select(i => Line($"id-{i}", $"ask {i}"))];

    public async Task<BatchJob> CreateAsync(IEnumerable<string> lines, TimeSpan? window = null, string owner = Owner, TimeSpan? lifetime = null)
    {
        var id = Files.NewId();
        var size = await Files.PutContentAsync(id, new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines))), default);
        await Files.AddAsync(id, owner, "in.jsonl", FileStore.BatchPurpose, size, lifetime, default);
        var now = Time.GetUtcNow().ToUnixTimeSeconds();
        var open = window ?? TimeSpan.FromHours(24);
        return await Jobs.CreateAsync(
            new BatchJob
            {
                Id = Jobs.NewId(), Owner = owner, Input = FileStore.Content(id), InputFile = id, Endpoint = Chat, Window = open,
                Times = new BatchTimes(now, now + (long)open.TotalSeconds),
            },
            default);
    }

    /// <summary>Starts a process that drives batches; its way to the store.</summary>
    /// <param name="workers">Who answers; null where nobody asks.</param>
    public PausableStore StartDriver(WorkerDirectory? workers = null)
    {
        PausableStore store = new(Store);
        CancellationTokenSource stop = new();
        FakeTransport transport = new(new FakeBroker(Time), Time, store) { Enqueueing = Queue.Enqueue };
        BatchDriver driver = new(transport, new OpenAiBatches(null, Time), Limits, Time, NullLogger<BatchDriver>.Instance, workers);
        _drivers.Add((stop, store, driver.RunAsync(stop.Token)));
        return store;
    }

    public async Task StopDriversAsync()
    {
        foreach ((var stop, var store, var run) in _drivers)
        {
            store.Resume();
            await stop.CancelAsync();
            await run;
            stop.Dispose();
        }

        _drivers.Clear();
    }

    /// <summary>Answers what is in the queue, each request's first result only if <paramref name="which"/> says so; returns how many.</summary>
    public async Task<int> WorkAsync(Func<QueuedRequest, bool>? which = null, int most = int.MaxValue)
    {
        var done = 0;
        while (done < most && Queue.TryDequeue(out var next))
        {
            if (which is not null && !which(next)) continue;
            await Results.TryPutAsync(Answer(next), default);
            done++;
        }

        return done;
    }

    /// <summary>Echoes the prompt; "fail" fails, "late" is too late.</summary>
    public static InferenceResult Answer(QueuedRequest asked)
    {
        var content = ((Prompt.Chat)asked.Request.Prompt).Messages[^1].Content;
        var id = asked.Request.Id;
        return content == "late"
            ? new InferenceResult { Id = id, Outcome = RequestOutcome.Expired, Error = new(InferenceErrorKind.DeadlineExceeded, "too late") }
            : content == "fail"
            ? new InferenceResult { Id = id, Outcome = RequestOutcome.Failed, Error = new(InferenceErrorKind.ContextLengthExceeded, "too long") }
            : new InferenceResult
            {
                Id = id, Outcome = RequestOutcome.Finished, Usage = new Usage(1, 1, 0),
                Choices = [new ChoiceResult([new TextPart(DeltaKind.Answer, $"re: {content}")], FinishReason.Stop)],
            };
    }

    public async Task<BatchJob> JobAsync(string id) => (await Jobs.GetAsync(id, default))!.Job;

    /// <summary>Lets time pass in small steps until something is so. The drivers run meanwhile, on other threads.</summary>
    /// <param name="inStep">For where it counts how much time passes, and one batch is driven: none passes while its driver is on its way to it, or
    /// at work.</param>
    public async Task UntilAsync(Func<Task<bool>> isSo, TimeSpan? step = null, bool inStep = false)
    {
        var watch = Stopwatch.StartNew();
        while (!await isSo())
        {
            if (watch.Elapsed > Patience) throw new TimeoutException("It never came to be.");
            if (!inStep || Time.IsAwaited) Time.Advance(step ?? TimeSpan.FromMilliseconds(100));
            for (var i = 0; i < 20; i++) await Task.Yield();
        }
    }

    /// <summary>Lets ten seconds pass, for what must not happen.</summary>
    public Task PassAsync(bool inStep = false)
    {
        var end = Time.GetUtcNow() + TimeSpan.FromSeconds(10);
        return UntilAsync(() => Time.GetUtcNow() >= end && (!inStep || Time.IsAwaited), inStep: inStep);
    }

    public Task UntilAsync(Func<bool> isSo, TimeSpan? step = null, bool inStep = false) => UntilAsync(() => Task.FromResult(isSo()), step, inStep);

    /// <summary>Works and lets time pass until the batch has ended.</summary>
    public async Task<BatchJob> UntilEndedAsync(string id, bool inStep = false)
    {
        await UntilAsync(async () =>
        {
            await WorkAsync();
            return (await JobAsync(id)).IsEnded;
        }, inStep: inStep);
        return await JobAsync(id);
    }

    /// <summary>The lines of a file; none where there is no file.</summary>
    public async Task<IReadOnlyList<JsonElement>> ReadAsync(string? file)
    {
        if (file is null) return [];
        var found = await Files.FindAsync(file, Owner, default) ?? throw new InvalidOperationException($"There is no {file}.");
        using StreamReader reader = new((await Files.OpenAsync(found, default))!);
        var text = await reader.ReadToEndAsync();
        Assert.Equal(found.Bytes, Encoding.UTF8.GetByteCount(text));
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
    }

    public static IEnumerable<string> Ids(IEnumerable<JsonElement> lines) => lines.Select(line => line.GetProperty("custom_id").GetString()!);

    public async ValueTask DisposeAsync() => await StopDriversAsync();
}
