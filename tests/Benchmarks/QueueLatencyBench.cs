using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Models.Folders;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What the way through the queue adds to a short request: to a gateway and a worker in processes of their own, and to a server with the
/// model in it, one request each in turn.</summary>
internal sealed class QueueLatencyBench(string? executable, ModelFolder folder, DeviceKind device, TransportOptions transport, TimeProvider time,
    Action<string> progress)
{
    private const int PromptTokens = 16, OutputTokens = 16, PerRound = 60, Warmup = 30;

    private static readonly LoadShape Shape = LoadShape.Uniform(1, PerRound, PromptTokens, OutputTokens);

    /// <exception cref="BenchException">A process ended early, a request failed, or the transport's queues are not empty.</exception>
    public async Task<QueueLatency> RunAsync(int rounds, CancellationToken cancellation)
    {
        using TemporaryFolder data = new();
        TransportOptions own = new()
        {
            Kind = transport.Kind, DataFolder = data.Path, Storage = transport.Storage, ServiceBus = transport.ServiceBus,
            UseWebSockets = transport.UseWebSockets, LeaseTime = transport.LeaseTime,
        };
        var secrets = new (string Name, string? Value)[]
            {
                (TransportOptions.StorageVariable, own.Storage), (TransportOptions.ServiceBusVariable, own.ServiceBus),
                (TransportOptions.WebSocketsVariable, own.UseWebSockets ? "true" : null),
            }.Where(one => one.Value is not null).ToDictionary(one => one.Name, one => one.Value!);
        await RefuseIfUsedAsync(own, cancellation);
        progress($"{folder.Name}: starting a gateway, a worker, and a server beside them");
        string[] model = ["--model", folder.Path, "--device", device.ToString().ToLowerInvariant()];
        string[] shared = ["--transport", own.Name, "--data", data.Path];
        await using var direct = await R1Server.StartAsync(executable, model, ChildProcess.NoSettings, time, cancellation);
        await using var worker = await R1Server.StartAsync(executable, [.. shared, "--role", "worker", .. model], secrets, time, cancellation);
        await using var gateway = await R1Server.StartAsync(executable, [.. shared, "--role", "gateway"], secrets, time, cancellation);
        Way one = new(direct.Address, folder.Name), other = new(gateway.Address, folder.Name);
        using (one)
        using (other)
        {
            await AlternateAsync(one, other, Warmup, cancellation);
            one.Forget();
            other.Forget();
            List<(Percentiles[] Direct, Percentiles[] Queued)> measured = [];
            for (var round = 1; round <= rounds; round++)
            {
                progress($"{folder.Name}: latency through {own.Name}, round {round} of {rounds}");
                await AlternateAsync(one, other, PerRound, cancellation);
                measured.Add((one.Take(), other.Take()));
            }

            return Report(measured);
        }
    }

    private QueueLatency Report(List<(Percentiles[] Direct, Percentiles[] Queued)> rounds)
    {
        return new QueueLatency(
            transport.Name, folder.Name, rounds.Count * PerRound, Median(r => r.Direct[0]), Median(r => r.Queued[0]), Median(r => r.Direct[1]),
            Median(r => r.Queued[1]),
            Median(r => Less(r.Queued[0], r.Direct[0])), Median(r => Less(r.Queued[1], r.Direct[1])));

        Percentiles Median(Func<(Percentiles[] Direct, Percentiles[] Queued), Percentiles> one) =>
            new(InterleavedRates.Median(rounds.Select(r => one(r).P50)), InterleavedRates.Median(rounds.Select(r => one(r).P99)));

        static Percentiles Less(Percentiles a, Percentiles b) => new(a.P50 - b.P50, a.P99 - b.P99);
    }

    private static async Task AlternateAsync(Way one, Way other, int requests, CancellationToken cancellation)
    {
        for (var i = 0; i < requests; i++)
        {
            await one.SendAsync(Shape.Prompt(i), cancellation);
            await other.SendAsync(Shape.Prompt(i), cancellation);
        }
    }

    /// <summary>A queue that others use would give their work to this worker, and ours to theirs.</summary>
    private async Task RefuseIfUsedAsync(TransportOptions own, CancellationToken cancellation)
    {
        await using var used = Transports.Create(own, time, NullLoggerFactory.Instance);
        await used.OpenAsync(cancellation);
        QueueStatistics waiting = await used.Queue.StatisticsAsync(WorkClass.Interactive, cancellation),
            bulk = await used.Queue.StatisticsAsync(WorkClass.Bulk, cancellation);
        if (waiting.Waiting + bulk.Waiting + (waiting.Leased ?? 0) + (bulk.Leased ?? 0) > 0)
            throw new BenchException("The queues are in use: measure with an account of its own.");
    }

    /// <summary>One server, asked one request at a time.</summary>
    private sealed class Way(Uri address, string model) : IDisposable
    {
        private readonly HttpClient _client = new() { BaseAddress = address };
        private List<double> _first = [], _whole = [];

        public async Task SendAsync(int[] prompt, CancellationToken cancellation)
        {
            var began = Stopwatch.GetTimestamp();
            double? first = null;
            await new HttpLoadClient(_client, model).SendAsync(prompt, OutputTokens,
                () => first ??= Stopwatch.GetElapsedTime(began).TotalMilliseconds, cancellation);
            var whole = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            _whole.Add(whole);
            _first.Add(first ?? whole);
        }

        /// <summary>To the first text, and whole.</summary>
        public Percentiles[] Take()
        {
            Percentiles[] taken = [Percentiles.Of(_first), Percentiles.Of(_whole)];
            Forget();
            return taken;
        }

        public void Forget() => (_first, _whole) = ([], []);

        public void Dispose() => _client.Dispose();
    }
}
