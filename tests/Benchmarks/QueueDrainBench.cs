using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Folders;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>
/// How busy a worker keeps its engine while it drains a backlog of the embedded queue: the product's own worker over a folder, results stored; in
/// turn, the same requests go to the same engine from as many clients as the worker ever had running.
/// </summary>
internal sealed class QueueDrainBench : IAsyncDisposable
{
    private const int FewRequests = 400;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    // All rounds' folders go at the end: file systems look long for a place for new files just after many were deleted, which no worker does.
    private readonly TemporaryFolder _rounds = new();
    private readonly ModelFolder _folder;
    private readonly LocalInference _engine;
    private readonly TimeProvider _time;
    private readonly Action<string> _progress;

    public QueueDrainBench(ModelFolder folder, RuntimeOptions runtime, TimeProvider time, Action<string> progress)
    {
        (_folder, _time, _progress) = (folder, time, progress);
        _engine = new LocalInference([LoadedVariant.OpenAlone(folder, folder.Manifest.Variants[0], runtime, new EngineOptions(), time)]);
    }

    /// <exception cref="BenchException">A request failed, or a result is missing: the measurement would not be true.</exception>
    public async Task<QueueDrain> RunAsync(int requests, int rounds, CancellationToken cancellation)
    {
        _progress($"{_folder.Name}: warming up");
        await DrainAsync(Backlog(Math.Min(requests, FewRequests)), cancellation);
        var backlog = Backlog(requests);
        (var _, var most) = await DrainAsync(backlog, cancellation);
        InterleavedRates rates = new(
            async () =>
            {
                (var rate, var now) = await DrainAsync(backlog, cancellation);
                most = Math.Max(most, now);
                return rate;
            },
            async () => (await LoadGenerator.RunAsync(backlog.Shape with { Clients = most }, new LoadClient(_engine, _folder.Name).SendAsync,
            cancellation)).TokensPerSecond);
        for (var round = 1; round <= rounds; round++)
        {
            _progress($"{_folder.Name}: draining, round {round} of {rounds}");
            await rates.RunRoundAsync();
        }

        return new QueueDrain(_folder.Name, requests, most, rates.Target, rates.Companion(0), rates.Ratio(0));
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _rounds.Dispose();
    }

    private QueueBacklog Backlog(int requests) =>
        new(_folder.Name, MixedLoad.Create(1, requests, QueueBacklog.PromptTokens, QueueBacklog.MinTokens, QueueBacklog.MaxTokens));

    /// <summary>Tokens per second, and the most requests that ran at once.</summary>
    private async Task<(double Rate, int Most)> DrainAsync(QueueBacklog backlog, CancellationToken cancellation)
    {
        await using EmbeddedTransport transport = new(Path.Combine(_rounds.Path, $"{_time.GetTimestamp()}"), _time);
        await transport.OpenAsync(cancellation);
        await backlog.EnqueueAsync(transport.Queue, cancellation);
        CountedInference counted = new(_engine, backlog.Count);
        ServedRoutes routes = new(() => [new RequestRoute(_folder.Name)], _time);
        QueueWorker worker = new(transport, counted, routes, Load, new QueueWorkerOptions { Grace = TimeSpan.Zero }, _time, NullLogger.Instance);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var began = Stopwatch.GetTimestamp();
        var working = worker.RunAsync(stop.Token);
        await await Task.WhenAny(counted.Ended, working);
        while (await transport.Queue.StatisticsAsync(WorkClass.Bulk, cancellation) is { Waiting: > 0 } or { Leased: > 0 })
            await Task.Delay(Look, _time, cancellation);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        await stop.CancelAsync();
        await working;
        await CheckAsync(transport, backlog, counted.Tokens, cancellation);
        return (backlog.Tokens / seconds, counted.Most);
    }

    private WorkerLoad Load()
    {
        var load = _engine.Variants[0].Load;
        return new WorkerLoad(load.Running, load.Waiting, load.IsFull);
    }

    private static async Task CheckAsync(Transport transport, QueueBacklog backlog, int tokens, CancellationToken cancellation)
    {
        var results = 0;
        await foreach (var _ in transport.Store.ListAsync(ResultStore.Folder, cancellation)) results++;
        if (results != backlog.Count || tokens != backlog.Tokens)
            throw new BenchException($"{results} results with {tokens} tokens instead of {backlog.Count} with {backlog.Tokens}.");
    }
}
