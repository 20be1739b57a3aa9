using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>
/// A process that enqueues, leases and ends requests as fast as it can until it is killed. Before each step it says what it will do, and after it
/// what has been acknowledged, a line each: a letter (lower case before, upper case after) and the request's id. E is enqueue, C complete, D
/// dead-letter, P put an object.
/// </summary>
internal static class QueueChild
{
    public const string Command = "--queue-child";

    private const int Loops = 4, Most = 8;

    private static readonly Lock Out = new();

    public static async Task<int> RunAsync(string folder, string name)
    {
        await using EmbeddedTransport transport = new(folder, TimeProvider.System, new EmbeddedOptions { LeaseTime = TimeSpan.FromSeconds(0.2) });
        // Ready: it begins when it is told to.
        Console.WriteLine("R");
        if (await Console.In.ReadLineAsync() is null) return 1;
        await transport.OpenAsync(CancellationToken.None);
        await Task.WhenAll(Enumerable.Range(0, Loops).Select(i => LoopAsync(transport, $"{name}-{i}")));
        return 0;
    }

    private static async Task LoopAsync(EmbeddedTransport transport, string name)
    {
        for (var round = 0; ; round++)
        {
            string[] ids = [.. Enumerable.Range(0, 1 + round % Most).Select(i => $"{name}-{round}-{i}")];
            Say('e', ids);
            await transport.Queue.EnqueueAsync([.. ids.Select(Request)], CancellationToken.None);
            Say('E', ids);

            foreach (var lease in await transport.Queue.LeaseAsync(WorkClass.Bulk, Most, TimeSpan.Zero, CancellationToken.None))
                await EndAsync(transport, lease, round);
        }
    }

    private static async Task EndAsync(EmbeddedTransport transport, Lease lease, int round)
    {
        var id = lease.Message.Request.Id.Value;
        if (round % 5 == 4)
        {
            await lease.AbandonAsync(TimeSpan.FromMilliseconds(5), CancellationToken.None);
        }
        else if (round % 7 == 6)
        {
            Say('d', id);
            if (await lease.DeadLetterAsync("a test", CancellationToken.None)) Say('D', id);
        }
        else if (round % 2 == 0)
        {
            Say('c', id);
            var completion =
                await lease.CompleteAsync(new InferenceResult { Id = new RequestId(id), Outcome = RequestOutcome.Finished }, CancellationToken.None);
            Say('P', id);
            if (completion!.Value.IsOurs) Say('C', id);
        }
        else
        {
            await new ResultStore(transport.Store).TryPutAsync(new InferenceResult { Id = new RequestId(id), Outcome = RequestOutcome.Finished },
                CancellationToken.None);
            Say('P', id);
            Say('c', id);
            if (await lease.CompleteAsync(CancellationToken.None)) Say('C', id);
        }
    }

    private static QueuedRequest Request(string id) =>
        new()
        {
            Request =
        new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text(new string('x', 1500)), Owner = id[..1] },
            Class = WorkClass.Bulk
        };

    /// <summary>One write, so that lines stay whole.</summary>
    private static void Say(char what, params ReadOnlySpan<string> ids)
    {
        var lines = string.Concat(ids.ToArray().Select(id => $"{what} {id}\n"));
        lock (Out) Console.Out.Write(lines);
    }
}
