using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests.Faults;

/// <summary>Gateways and workers of this process, each over a connection of its own, in real time.</summary>
internal sealed class FaultWorld : IAsyncDisposable
{
    /// <summary>How long to wait for what must come; only a failing test waits so long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    /// <summary>Counting lists every result, which costs the service as much as the work that is waited for.</summary>
    private static readonly TimeSpan CountLook = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _running = [];

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static InferenceRequest Ask(string id, int words, TimeSpan? deadline = null) =>
        new() { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text($"{words}"), Deadline = deadline };

    /// <summary>Looks again and again until it holds.</summary>
    /// <param name="look">How long between two looks.</param>
    public static async Task UntilAsync(Func<Task<bool>> holds, TimeSpan? look = null)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        limit.CancelAfter(Patience);
        while (!await holds()) await Task.Delay(look ?? Look, TimeProvider.System, limit.Token);
    }

    public static Task UntilAsync(Func<bool> holds) => UntilAsync(() => Task.FromResult(holds()));

    /// <summary>The answer's text; of one that failed, what it failed with.</summary>
    public static async Task<string> TextAsync(IInference gateway, InferenceRequest request)
    {
        var text = "";
        await foreach (var inferenceEvent in gateway.RunAsync(request, Cancelled).WithCancellation(Cancelled))
        {
            if (inferenceEvent is InferenceEvent.Delta delta) text += delta.Text;
            if (inferenceEvent is InferenceEvent.Failed failed) return failed.Error.Kind.ToString();
        }

        return text;
    }

    public void Work(Transport transport, IInference engine, TimeProvider time, ILogger? log = null) => _running.Add(
        new QueueWorker(transport, engine, LeaseExtensions.Served, () => default, new QueueWorkerOptions { Grace = TimeSpan.FromSeconds(1) }, time,
        log ?? NullLogger.Instance).RunAsync(_stop.Token));

    public QueuedInference Gate(Transport transport, TimeProvider time)
    {
        QueuedInference gateway = new(transport, time, NullLogger.Instance);
        _running.Add(gateway.ReceiveAsync(_stop.Token));
        return gateway;
    }

    /// <summary>Waits until there are so many results and nothing waits any more; how many results there are then. Some services don't tell what is
    /// leased.</summary>
    public static async Task<int> ResultsAsync(Transport transport, int expected)
    {
        await UntilAsync(async () => await CountAsync() >= expected, CountLook);
        await UntilAsync(async () => await IsEmptyAsync(transport, WorkClass.Interactive) && await IsEmptyAsync(transport, WorkClass.Bulk));
        return await CountAsync();

        async Task<int> CountAsync()
        {
            var found = 0;
            await foreach (var _ in transport.Store.ListAsync(ResultStore.Folder, Cancelled)) found++;
            return found;
        }
    }

    public static async Task<long> DeadLettersAsync(Transport transport)
    {
        long dead = 0;
        foreach (var workClass in Enum.GetValues<WorkClass>()) dead += (await transport.Queue.StatisticsAsync(workClass, Cancelled)).DeadLetters;
        return dead;
    }

    public static async Task<bool> IsEmptyAsync(Transport transport, WorkClass workClass) =>
        await transport.Queue.StatisticsAsync(workClass, Cancelled) is { Waiting: 0, Leased: 0 or null };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running);
        _stop.Dispose();
    }
}
