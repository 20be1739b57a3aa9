using System.Diagnostics;
using R1Serverless.Bench;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>How fast the embedded queue takes requests in and gives them out, without an engine.</summary>
internal sealed class QueueRatesBench(int rounds, TimeProvider time, Action<string> progress)
{
    private const int Alone = 1000, Producers = 32, PerProducer = 250, PerLease = 64;

    public async Task<QueueRates> RunAsync(CancellationToken cancellation)
    {
        List<QueueRates> rates = [];
        for (var round = 0; round <= rounds; round++)
        {
            progress($"the embedded queue alone, round {round} of {rounds}");
            rates.Add(await MeasureAsync(cancellation));
        }

        // The first was for warming up.
        return new QueueRates(Median(rate => rate.EnqueuedAlone), Median(rate => rate.Enqueued), Median(rate => rate.Drained));

        double Median(Func<QueueRates, double> one) => InterleavedRates.Median(rates.Skip(1).Select(one));
    }

    private async Task<QueueRates> MeasureAsync(CancellationToken cancellation)
    {
        using TemporaryFolder folder = new();
        await using EmbeddedTransport transport = new(folder.Path, time);
        await transport.OpenAsync(cancellation);
        var alone = await SecondsAsync(() => EnqueueAsync(transport.Queue, Alone, cancellation));
        var many =
            await SecondsAsync(
                () => Task.WhenAll(Enumerable.Range(0, Producers).Select(_ => EnqueueAsync(transport.Queue, PerProducer, cancellation))));
        var drained = await SecondsAsync(() => DrainAsync(transport.Queue, cancellation));
        return new QueueRates(Alone / alone, Producers * PerProducer / many, (Alone + (Producers * PerProducer)) / drained);
    }

    private static async Task<double> SecondsAsync(Func<Task> work)
    {
        var began = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task EnqueueAsync(IRequestQueue queue, int count, CancellationToken cancellation)
    {
        await Task.Yield();
        for (var i = 0; i < count; i++) await queue.EnqueueAsync([QueueBacklog.Request("none", [1, 2, 3, 4, 5, 6, 7, 8], 16)], cancellation);
    }

    private static async Task DrainAsync(IRequestQueue queue, CancellationToken cancellation)
    {
        while (await queue.LeaseAsync(WorkClass.Bulk, [new RequestRoute("none")], PerLease, TimeSpan.Zero, cancellation) is { Count: > 0 } leases)
        {
            var ended = await Task.WhenAll(leases.Select(lease => lease.CompleteAsync(cancellation).AsTask()));
            if (ended.Contains(false)) throw new BenchException("A lease was lost.");
        }
    }
}
