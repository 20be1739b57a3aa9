using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Azure.ServiceBus;
using R1Serverless.Queues;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>Links and connections are dropped again and again: what waits on them comes back soon, and nobody waits for ever.</summary>
public sealed class ServiceBusDropTests(ITestOutputHelper output) : TransportContract
{
    private const int Drops = 100, Brokers = 4;

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    private ServiceBusFixture Bus => (ServiceBusFixture)Fixture;

    /// <summary>On four brokers at once: the test's time is the client library's waiting.</summary>
    [Fact]
    public async Task After_each_of_a_hundred_drops_lease_replies_and_cancellation_come_back_within_ten_seconds()
    {
        var ends = await Task.WhenAll(Enumerable.Range(0, Brokers).Select(_ => Task.Run(async () =>
        {
            await using ServiceBusFixture bus = new();
            return await new Dropping(bus, await bus.ConnectAsync(), await bus.ConnectAsync()).RunAsync(Drops / Brokers);
        }, Stop)));
        foreach (var line in ends) output.WriteLine(line);
    }

    [Fact]
    public async Task An_outage_is_told_of_in_words_and_so_is_its_end()
    {
        await Bus.Broker.GoDownAsync();
        for (var attempt = 0; attempt < 3; attempt++)
        {
            await Assert.ThrowsAsync<TransportException>(
                async () => await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop).AsTask().WaitAsync(Patience, Stop));
            Bus.Time.Advance(TimeSpan.FromSeconds(20));
        }

        Bus.Broker.ComeBack();
        await Worker.Queue.EnqueueAsync([Request("a")], Stop);
        Assert.Collection(
            Bus.Log.Messages.Where(line => line.Contains("'r1-interactive'", StringComparison.Ordinal)),
            line => Assert.Contains("is away since", line, StringComparison.Ordinal),
            line => Assert.Contains("is still away, since", line, StringComparison.Ordinal),
            line => Assert.Contains("answers again, after", line, StringComparison.Ordinal));
        Assert.Contains("could not receive. A call is given up after 10 s at the latest, and tried again until the queue answers: The queue "
            + "'r1-interactive' at localhost can't be reached",
            Bus.Log.Messages.First(line => line.Contains("away since", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_takes_connections_and_says_nothing_is_given_up_in_time()
    {
        using System.Net.Sockets.TcpListener silent = new(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        var port = ((System.Net.IPEndPoint)silent.LocalEndpoint).Port;
        var options =
            Bus.Options with
            {
                ConnectionString = Bus.Broker.ConnectionString.Replace($":{Bus.Broker.Port}", $":{port}", StringComparison.Ordinal),
                AnswerTime = TimeSpan.FromSeconds(1)
            };
        await using ServiceBusTransport transport = new(options, Bus.Store, TimeProvider.System, NullLogger.Instance);
        Task[] calls =
        [
            transport.OpenAsync(Stop).AsTask(),
            transport.Queue.LeaseAsync(WorkClass.Interactive, 1, TimeSpan.Zero, Stop).AsTask(),
            transport.Queue.EnqueueAsync([Request("a")], Stop).AsTask(),
            transport.Queue.StatisticsAsync(WorkClass.Bulk, Stop).AsTask(),
            transport.Jobs.LeaseAsync(TimeSpan.Zero, Stop).AsTask(),
            transport.Replies.SendAsync("nobody", [], Stop).AsTask(),
        ];
        foreach (var call in calls) await Assert.ThrowsAsync<TransportException>(() => call.WaitAsync(Patience, Stop));
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        await using var replies = transport.Replies.ReceiveAsync(cancel.Token).GetAsyncEnumerator(cancel.Token);
        var next = replies.MoveNextAsync().AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.WaitAsync(Soon, Stop));
    }

    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());

    /// <summary>One broker with a gateway and a worker whose links and connections are dropped.</summary>
    private sealed class Dropping(ServiceBusFixture bus, Transport gateway, Transport worker)
    {
        private readonly ConcurrentDictionary<long, bool> _replies = new();

        /// <summary>What was dropped and how long the slowest took, in words.</summary>
        public async Task<string> RunAsync(int drops)
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            var receiving = ReceiveAsync(end.Token);
            Dictionary<string, TimeSpan> slowest = new(StringComparer.Ordinal);
            int links = 0, connections = 0;
            for (var drop = 0; drop < drops; drop++)
            {
                using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Stop);
                Task waiting = worker.Queue.LeaseAsync(WorkClass.Bulk, 1, Patience, cancel.Token).AsTask();
                if (drop % 4 == 3) connections += await bus.Broker.DropConnectionsAsync();
                else foreach (var address in Addresses(drop)) links += await bus.Broker.DropLinksAsync(address);

                var number = drop;
                (string What, Task<TimeSpan> Took)[] back =
                [
                    ("lease", TimeAsync(() => LeaseAsync(number))),
                    ("reply", TimeAsync(() => ReplyAsync(number))),
                    ("cancellation", TimeAsync(async () =>
                    {
                        await cancel.CancelAsync();
                        await waiting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    })),
                ];
                foreach ((var what, var took) in back)
                {
                    var time = await took;
                    Assert.True(time < Soon,
                        $"After drop {drop} the {what} took longer than {Soon.TotalSeconds:0} s: {string.Join('\n', bus.Log.Messages.TakeLast(20))}");
                    if (time > slowest.GetValueOrDefault(what)) slowest[what] = time;
                }
            }

            await end.CancelAsync();
            await receiving.WaitAsync(Soon, Stop);
            Assert.True(links >= drops / 2 && connections >= drops / 4);
            return $"{drops} drops, of {links} links and {connections} connections; slowest: "
                + $"{string.Join(", ", slowest.Select(one => $"{one.Key} {one.Value.TotalSeconds:0.00} s"))}";
        }

        /// <summary>With the link by which tokens are shown the client library stands still until its connection is made anew: that takes an
        /// attempt's time.</summary>
        private static string[] Addresses(int drop) => (drop % 4, drop % 20) switch
        {
            (0, _) => ["r1-interactive", "r1-interactive/$management"],
            (1, _) => ["r1-replies", "r1-replies/$management"],
            (_, 2) => ["r1-interactive", "r1-bulk", "r1-replies", "$cbs"],
            _ => ["r1-interactive", "r1-bulk", "r1-replies"],
        };

        private static async Task<TimeSpan> TimeAsync(Func<Task> work)
        {
            var watch = Stopwatch.StartNew();
            await Task.WhenAny(work(), Task.Delay(Soon, Stop));
            return watch.Elapsed;
        }

        private static async Task AgainAsync(Func<Task> attempt)
        {
            while (true)
            {
                try
                {
                    await attempt();
                    return;
                }
                catch (TransportException fault) when (!fault.IsPermanent)
                {
                    // As its callers do.
                    await Task.Delay(10, Stop);
                }
            }
        }

        private async Task ReceiveAsync(CancellationToken cancellationToken)
        {
            try
            {
                await foreach (var reply in gateway.Replies.ReceiveAsync(cancellationToken)) _replies[reply.First] = true;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // The test is over.
            }
        }

        private async Task LeaseAsync(int number)
        {
            var id = $"a{number}";
            await AgainAsync(async () => await gateway.Queue.EnqueueAsync([Request(id)], Stop));
            var isDone = false;
            while (!isDone)
            {
                await AgainAsync(async () =>
                {
                    foreach (var lease in await worker.Queue.LeaseAsync(WorkClass.Interactive, 4, Soon, Stop))
                        isDone |= await lease.CompleteAsync(Stop) && lease.Message.Request.Id.Value == id;
                });
            }
        }

        private async Task ReplyAsync(int number)
        {
            // What is sent to a link that just breaks may be lost.
            while (!_replies.ContainsKey(number))
            {
                await AgainAsync(
                    async () => await worker.Replies.SendAsync(gateway.Replies.Address, [new Reply(new RequestId("a"), 1, number, [])], Stop));
                for (var look = 0; look < 50 && !_replies.ContainsKey(number); look++) await Task.Delay(5, Stop);
            }
        }
    }
}
